//! Templates that take as much time, memory or stack as they can get.

use burn_kto::prelude::*;
use std::time::{Duration, Instant};

/// A part of a template many times over.
fn many(part: &str, times: usize) -> String {
    part.repeat(times)
}

/// A loop around a part, of which a namespace `n` with `a` outlives each round.
fn rounds(start: &str, part: &str, then: &str) -> String {
    format!(
        "{{% set n = namespace(a={start}) %}}{{% for i in range(100000) %}}{part}{{% endfor %}}{then}"
    )
}

#[rustfmt::skip]
fn templates() -> Vec<String> {
    let mut all: Vec<String> = [
        // Values that hold themselves, or one another many times over.
        "{% set n = namespace() %}{% set n.x = n %}{{ n }}",
        "{% set n = namespace() %}{% set n.x = n %}{{ n ~ 'a' }}",
        "{% set n = namespace() %}{% set n.x = n %}{{ n | string }}",
        "{% set n = namespace() %}{% set n.x = n %}{{ [n] | join }}",
        "{% set n = namespace() %}{% set n.x = n %}{{ n | tojson }}",
        "{% set n = namespace() %}{% set n.x = [n] %}{{ n | pprint }}",
        "{% set n = namespace() %}{% set n.x = {'n': n} %}{{ n.x == n.x }}",
        "{% set n = namespace() %}{% set n.x = [n] %}{% set m = namespace() %}{% set m.x = [m] %}{{ n.x == m.x }}{{ n == m }}",
        "{% set n = namespace() %}{% set n.x = n %}{{ '%s' % n }}{{ '{}'.format(n) }}",
        "{% set n = namespace() %}{% set n.x = n %}{{ n.x.x.x.x.x.x.x is defined }}{{ n in [n] }}{{ [n, n] | unique | list }}",
        "{% set n = namespace() %}{% set m = namespace(n=n) %}{% set n.m = m %}{{ m }}{{ [n, m] | sort }}",
        "{% set n = namespace(a=1) %}{% set n.f = n %}{{ n | items | list }}{{ dict(n) }}",
        // Numbers.
        "{{ 9 ** 9 ** 9 ** 9 }}",
        "{{ 2 ** 100000 }}",
        "{{ 10 ** 39 * 10 ** 39 }}",
        "{{ -9223372036854775808 // -1 }}{{ (-170141183460469231731687303715884105728) // -1 }}",
        "{{ (-170141183460469231731687303715884105728) % -1 }}",
        "{{ 1e308 ** 2 }}{{ 0 ** -1 }}",
        "{{ 1 // 0 }}",
        "{{ 5 % 0.0 }}",
        "{{ 1e400 | int }}{{ 1e39 | int }}",
        "{{ ('9' * 10000) | int }}",
        "{{ ('9' * 1000000) | float }}",
        "{{ 1.5 | round(1000000000) }}",
        "{{ 12 | round(-1000000000) }}",
        // Widths and counts.
        "{{ 'a' | indent(1000000000) }}",
        "{{ 'a\nb' | indent(1000000000) }}",
        "{{ 'a\nb' | indent(9223372036854775807, true) }}",
        "{{ 'a' | center(1000000000) }}",
        "{{ 'a' | center(9223372036854775807) }}",
        "{{ 'a'.center(4000000000) }}{{ 'a'.ljust(4000000000) }}",
        "{{ 'a'.zfill(9223372036854775807) }}",
        "{{ ('\t' * 1000).expandtabs(9223372036854775807) }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ '%.1000000000f' % 1.0 }}",
        "{{ '%*d' % (1000000000, 1) }}",
        "{{ '%1000000000s' | format('a') }}",
        "{{ '{:1000000000}'.format(1) }}",
        "{{ '{:>1000000000}'.format('a') }}",
        "{{ '{:{}}'.format('a', 1000000000) }}",
        "{{ '{0:.1000000000f}'.format(1.5) }}",
        "{{ ('%9999d' * 9999) | format(1) }}",
        "{{ ('{0:9999}' * 100000).format(1) }}",
        "{{ 'a' * 1000000000 }}",
        "{{ 'a' * 9223372036854775807 }}",
        "{{ [1] * 1000000000 }}",
        "{{ ([1] * 100000000) | list | length }}",
        "{{ ([1] * 100000000) | sum }}",
        "{{ ([1] * 100000000) | sort | first }}",
        "{{ ([1] * 100000000)[99999999] }}",
        "{{ ([1] * 100000000)[::-1] }}",
        "{{ (('a' * 100000000)[::-1]) | length }}",
        "{{ (1, 2) * 1000000000 }}",
        "{{ range(1000000000) | list }}",
        "{{ range(0, 9223372036854775807, 1) | length }}{{ range(-9223372036854775808, 9223372036854775807) }}",
        "{{ 'a' | truncate(9223372036854775807) }}{{ 'aaaaaaaaaaaaaaaa' | truncate(-5) }}",
        "{{ [1] | batch(1000000000) | list }}",
        "{{ [1] | batch(1000000000, 'x') | list }}",
        "{{ [1] | slice(1000000000) | list }}",
        "{{ [1] | slice(9223372036854775807, 'x') | list | length }}",
        "{{ {'a': [1]} | tojson(indent=1000000000) }}",
        "{{ {'a': [1]} | tojson(indent=9223372036854775807) }}",
        "{{ range(100000) | list | tojson(separators=['x' * 1000000, 'y']) }}",
        "{{ range(100000) | list | tojson(indent='x' * 1000000) }}",
        "{{ [[[[[[[[1]]]]]]]] | tojson(indent='x' * 10000000) }}",
        "{{ range(100000) | join('x' * 100000) }}",
        "{{ ('x' * 100000).join(['a'] * 100000) }}",
        "{{ ('a' * 1000000).replace('a', 'b' * 1000000) }}",
        "{{ ('a' * 1000000) | replace('a', 'b' * 1000000) }}",
        "{{ ('a' * 1000000) | replace('', 'b' * 1000000) }}",
        "{{ ('a' * 100000000).split('a') | length }}",
        "{{ ('a ' * 50000000).split() | length }}",
        "{{ ('a\n' * 50000000).splitlines() | length }}",
        "{{ ('a' * 100000000) | list | length }}",
        "{{ ('&' * 50000000) | e | length }}",
        "{{ ('é' * 50000000) | urlencode | length }}",
        "{{ ('\x01' * 50000000) | tojson | length }}",
        "{{ ('ab' * 10000000).strip('ba' * 10000000) | length }}",
        "{{ ('ab' * 10000000) | trim('ba' * 10000000) | length }}",
        "{{ ('a' * 30000000 ~ 'b').find('a' * 15000000 ~ 'c') }}",
        "{{ ['a' * 100000] * 100000 }}",
        "{{ ('ß' * 100000000) | upper | title | capitalize | length }}",
        "{{ ('a b' * 30000000) | wordcount }}",
        "{{ 'a'.ljust(100000000) | indent(3) | length }}",
        "{{ '%(a)s' * 1000000 % {'a': 'x' * 1000} }}",
        "{{ strftime_now('%9999999999Y') }}",
        "{{ strftime_now('%Y' * 10000000) }}",
        "{{ raise_exception('a' * 100000000) }}",
        "{{ messages[0].content * 100000000 }}",
        // Loops and macros.
        "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}{% endfor %}{% endfor %}{% endfor %}",
        "{% for a in range(99999) %}{% for b in range(99999) %}xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx{% endfor %}{% endfor %}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% macro f(x) %}{{ f([x, x]) }}{% endmacro %}{{ f(1) }}",
        "{% macro f(n) %}{% if n > 0 %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
        "{% macro f(n) %}{% if n > 0 %}{{ f(n - 1) ~ f(n - 1) ~ 'x' }}{% else %}xxxxxxxx{% endif %}{% endmacro %}{{ f(60) }}",
        "{% macro f() %}{% call f() %}{% endcall %}{% endmacro %}{{ f() }}",
        "{% macro f() %}{{ caller() }}{% endmacro %}{% call f() %}{% call f() %}{{ f() }}{% endcall %}{% endcall %}",
        "{% macro f(a) %}{{ a(a) }}{% endmacro %}{{ f(f) }}",
        "{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}",
        "{% for i in [1, 1] recursive %}{{ loop([1, 1]) }}{% endfor %}",
        "{% set x = 'a' %}{% for i in range(99999) %}{% set x %}{{ x }}{{ x }}{% endset %}{% endfor %}{{ x }}",
        "{% for i in range(99999) %}{% filter upper %}{{ 'a' * 10000 }}{% endfilter %}{% endfor %}",
        "{% for a in range(99999) %}{% for b in [1] if a in range(99999) %}{% endfor %}{% endfor %}",
        "{% for a in range(99999) %}{{ range(99999) | list | length }}{% endfor %}",
        "{% for a in range(99999) %}{{ range(99999) | sum }}{{ range(99999) | max }}{% endfor %}",
        "{% for a in range(99999) %}{{ range(99999) | map('string') | sort | unique | list | length }}{% endfor %}",
        "{{ range(99999) | unique | list | length }}",
        "{{ range(99999) | groupby('x') | length }}",
        "{{ range(99999) | list == range(99999) | list }}{% for i in range(99999) %}{{ range(99999) == range(99999) }}{% endfor %}",
    ].map(String::from).into();
    all.extend([
        // Values that grow from round to round.
        rounds("'ab'", "{% set n.a = n.a + n.a %}", "{{ n.a }}"),
        rounds("'ab'", "{% set n.a = n.a ~ n.a %}", "{{ n.a }}"),
        rounds("'ab'", "{% set n.a = n.a * 2 %}", "{{ n.a }}"),
        rounds("'ab'", "{% set n.a = n.a ~ 'xxxxxxxxxxxxxxxxxxxxxxxx' %}", "{{ n.a }}"),
        rounds("'ab'", "{% set n.a = [n.a, n.a] | join %}", "{{ n.a }}"),
        rounds("'ab'", "{% set n.a = n.a | replace('a', 'aa') %}", "{{ n.a }}"),
        rounds("'ab'", "{% set n.a = n.a.join([n.a, n.a]) %}", "{{ n.a }}"),
        rounds("'ab'", "{% set n.a = '%s%s' % (n.a, n.a) %}", "{{ n.a }}"),
        rounds("'ab'", "{% set n.a = n.a | tojson %}", "{{ n.a }}"),
        rounds("'a&'", "{% set n.a = n.a | e %}", "{{ n.a }}"),
        rounds("'ab'", "{% set n.a = n.a | tojson | tojson %}", "{{ n.a }}"),
        rounds("'ab'", "{% set n.a = '{0}{0}'.format(n.a) %}", "{{ n.a }}"),
        rounds("'ab'", "{% set n.a %}{{ n.a }}{{ n.a }}{% endset %}", "{{ n.a }}"),
        rounds("'ab'", "{% set n.a = n.a | list | join('xx') %}", "{{ n.a }}"),
        rounds("[1]", "{% set n.a = n.a + n.a %}", "{{ n.a }}"),
        rounds("[1]", "{% set n.a = n.a + [1] %}", "{{ n.a }}"),
        rounds("[1]", "{% set n.a = n.a * 2 %}", "{{ n.a }}"),
        rounds("[1]", "{% set n.a = n.a * 1 %}", "{{ n.a }}"),
        rounds("[1]", "{% set n.a = n.a[0:] %}", "{{ n.a }}"),
        rounds("[1]", "{% set n.a = n.a[::-1] %}", "{{ n.a }}"),
        rounds("[1]", "{% set n.a = [n.a] %}", "{{ n.a }}"),
        rounds("[1]", "{% set n.a = (n.a,) %}", "{{ n.a }}"),
        rounds("[1]", "{% set n.a = {'a': n.a} %}", "{{ n.a }}"),
        rounds("[1]", "{% set n.a = namespace(a=n.a) %}", "{{ n.a }}"),
        rounds("[1]", "{% set n.a = namespace(a=n.a) %}", "{{ n.a == n.a }}{{ n.a | tojson }}"),
        rounds("[1]", "{% set n.a = [n.a, n.a] %}", "{{ n.a }}"),
        rounds("[1]", "{% set n.a = [n.a, n.a] %}", "{{ n.a | tojson }}"),
        rounds("[1]", "{% set n.a = [n.a, n.a] %}", "{{ n.a == [n.a] }}"),
        rounds("[1]", "{% set n.a = dict(x=n.a, y=n.a) %}", "{{ n.a }}"),
        rounds("[1]", "{% set n.a = n.a | batch(1) | list %}", "{{ n.a }}"),
        rounds("[1]", "{% set n.a = n.a | map('list') %}", "{{ n.a | list }}"),
        rounds("[1]", "{% set n.a = n.a | select %}", "{{ n.a | list }}"),
        rounds("[1]", "{% set n.a = {'a': n.a}.items() | list %}", "{{ n.a }}"),
        rounds("[1]", "{% set n.a = [n.a] | reverse | list %}", "{{ n.a }}"),
        rounds("[1]", "{% set n.a = {'a': n.a} | dictsort %}", "{{ n.a }}"),
        rounds("joiner()", "{% set n.a = [n.a] | first %}{{ n.a() }}", ""),
        rounds("1", "{% set n.a = n.a * 3 + 1 %}", "{{ n.a }}"),
        rounds("1", "{% set n.a = n.a ** 2 + 1 %}", "{{ n.a }}"),
        // Doubled in the source itself.
        format!("{{% set a = [1] %}}{}{{{{ a }}}}", many("{% set a = [a, a] %}", 60)),
        format!("{{% set a = [1] %}}{}{{{{ a ~ '' }}}}", many("{% set a = [a, a] %}", 60)),
        format!("{{% set a = [1] %}}{}{{{{ a == [a] }}}}", many("{% set a = (a, a) %}", 60)),
        format!("{{% set a = 1 %}}{}{{{{ {{a: 1}} }}}}", many("{% set a = (a, a) %}", 60)),
        format!("{{% set a = {{}} %}}{}{{{{ a | tojson }}}}", many("{% set a = {'x': a, 'y': a} %}", 60)),
        format!("{{% set a = 'xx' %}}{}{{{{ a }}}}", many("{% set a = a ~ a %}", 60)),
        format!("{{% set a = [1] %}}{}{{{{ a | length }}}}", many("{% set a = a + a %}", 60)),
        format!("{{% set a = [1] %}}{}{{{{ a }}}}", many("{% set a = [[[[[[[[[[a]]]]]]]]]] %}", 4000)),
        format!("{{% set a = [1] %}}{}{{{{ a }}}}", many("{% set a = a * 1 %}", 4000)),
        format!("{{% set a = [1] %}}{{{{ a{} }}}}", many(" * 1", 4900)),
        format!("{{% set a = [1] %}}{{{{ a{} }}}}", many(" + a", 4900)),
        format!("{{% set a = [1] %}}{{{{ (a{}) | length }}}}", many(" + a", 4900)),
        format!("{{{{ [1]{} }}}}", many("[:]", 3000)),
        format!("{{{{ [1]{} }}}}", many(" | list", 4000)),
        format!("{{{{ [1]{} }}}}", many(" | batch(1) | list", 1200)),
        format!("{{% with a = [1] %}}{}{{{{ a }}}}", many("{% with b = [a, a], c = 1 %}{% with a = [b, b], d = 1 %}", 60)),
        format!("{}{{{{ x20 }}}}", (0..40).map(|i| format!("{{% macro m{i}() %}}{{{{ m{}() }}}}{{{{ m{}() }}}}{{% endmacro %}}", i + 1, i + 1)).collect::<String>()) + "{% macro m40() %}aaaaaaaaaaaaaaaaaaaaaaaaaa{% endmacro %}{{ m0() }}",
        // Sources that are long or deep.
        format!("{{{{ {}1 }}}}", many("-", 100_000)),
        format!("{{{{ {}1 }}}}", many("- ", 100_000)),
        format!("{{{{ {}1 }}}}", many("+ ", 100_000)),
        format!("{{{{ {}1 }}}}", many("not ", 100_000)),
        format!("{{{{ 1{} }}}}", many(" + 1", 100_000)),
        format!("{{{{ 1{} }}}}", many(" + 1", 4_900)),
        format!("{{{{ 1{} }}}}", many(" - 1", 100_000)),
        format!("{{{{ 1{} }}}}", many(" ** 1", 100_000)),
        format!("{{{{ 1{} }}}}", many(" ** 1", 4_900)),
        format!("{{{{ 1{} }}}}", many(" ~ 1", 4_900)),
        format!("{{{{ 1{} }}}}", many(" % 2", 4_900)),
        format!("{{{{ 1{} }}}}", many(" == 1", 4_900)),
        format!("{{{{ 1{} }}}}", many(" and 1", 100_000)),
        format!("{{{{ 1{} }}}}", many(" and 1", 4_900)),
        format!("{{{{ 0{} }}}}", many(" or 0", 4_900)),
        format!("{{{{ 1{} }}}}", many(" if 1 else 1", 100_000)),
        format!("{{{{ 1{} }}}}", many(" if 1 else 1", 2_000)),
        format!("{{{{ 1{} }}}}", many(" if 1", 4_000)),
        format!("{{{{ a{} }}}}", many(".a", 100_000)),
        format!("{{{{ a{} }}}}", many(".a", 4_900)),
        format!("{{{{ messages{} }}}}", many("[0]", 3_000)),
        format!("{{{{ a{} }}}}", many("()", 100_000)),
        format!("{{{{ 'a'{} }}}}", many(".upper()", 2_400)),
        format!("{{{{ 'a'{} }}}}", many("|e", 100_000)),
        format!("{{{{ 'a'{} }}}}", many("|upper", 4_900)),
        format!("{{{{ 'a'{} }}}}", many(" is defined", 4_900)),
        format!("{{{{ {}{} }}}}", many("[", 90_000), many("]", 90_000)),
        format!("{{{{ {}{} }}}}", many("(", 90_000), many(")", 90_000)),
        format!("{{{{ {}1{} }}}}", many("{1:", 90_000), many("}", 90_000)),
        format!("{{{{ {}1{} }}}}", many("[", 99), many("]", 99)),
        format!("{{{{ {}1{} }}}}", many("a(", 90_000), many(")", 90_000)),
        format!("{{{{ {}1{} }}}}", many("a[", 90_000), many("]", 90_000)),
        format!("{{{{ 'a'{} }}}}", many(" 'a'", 100_000)),
        format!("{{{{ [{}] }}}}", many("1,", 100_000)),
        format!("{{{{ [{}] }}}}", many("1,", 4_000)),
        format!("{{{{ f({}) }}}}", many("1,", 4_000)),
        format!("{{{{ dict({}) }}}}", (0..3000).map(|i| format!("a{i}=1,")).collect::<String>()),
        format!("{{% if 0 %}}{}{{% endif %}}", many("{% elif 0 %}", 50_000)),
        format!("{{% if 0 %}}{}{{% endif %}}", many("{% elif 0 %}", 4_900)),
        format!("{}{}", many("{% if 1 %}", 50_000), many("{% endif %}", 50_000)),
        format!("{}{}", many("{% if 1 %}", 2_400), many("{% endif %}", 2_400)),
        format!("{}{}", many("{% for i in [1] %}", 2_400), many("{% endfor %}", 2_400)),
        format!("{}{}", many("{% for i in range(10) %}", 140), many("{% endfor %}", 140)),
        format!("{}x{}", many("{% with %}", 2_400), many("{% endwith %}", 2_400)),
        format!("{}x{}", many("{% filter upper %}", 2_400), many("{% endfilter %}", 2_400)),
        format!("{}x{}", many("{% set a %}", 2_400), many("{% endset %}", 2_400)),
        format!("{}x{}", many("{% macro f() %}", 2_400), many("{% endmacro %}", 2_400)),
        format!("{}x{}", many("{% generation %}", 2_400), many("{% endgeneration %}", 2_400)),
        many("{{ 1 }}", 200_000),
        many("{# #}", 200_000),
        many("{", 1_000_000),
        many("{{", 500_000),
        many("{%", 500_000),
        many("{% raw %}", 100_000),
        many("{% raw %}{% endraw %}", 100_000),
        many("{{ '", 100_000),
        many("a", 20_000_000),
        many("\r", 1_000_000),
        format!("{{{{ '{}' }}}}", many("\\", 500_001)),
        format!("{{% set {} = 1 %}}", many("a,", 4_000)),
        format!("{{% set {}a{} = 1 %}}", many("(", 4_000), many(")", 4_000)),
        format!("{{% for {}a{} in b %}}{{% endfor %}}", many("(", 90_000), many(")", 90_000)),
        format!("{{% macro f({}) %}}{{% endmacro %}}", many("a,", 4_000)),
    ]);
    all
}

#[test]
fn hostile_templates_end_with_an_error_or_a_text() {
    let templates = templates();
    assert!(templates.len() > 200);
    let mut message = Message::new("user", "<|im_end|> hello ".repeat(100));
    message.extra.insert(
        "tools".into(),
        serde_json::json!([{"a": [1, 2, {"b": null}]}]),
    );
    let messages = [message];
    let (mut texts, mut refused, mut ended) = (0, 0, 0);
    for source in &templates {
        let shown: String = source.chars().take(120).collect();
        let start = Instant::now();
        // A small stack, as threads of a pool have.
        let result = std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().stack_size(256 << 10);
            let work = || JinjaTemplate::new(source.as_str(), "", "")?.render(&messages, true);
            thread.spawn_scoped(scope, work).unwrap().join().unwrap()
        });
        let took = start.elapsed();
        if std::env::var_os("SHOW_HOSTILE").is_some() {
            let result = result
                .as_ref()
                .map(|text| text.len())
                .map_err(|e| e.to_string().chars().take(90).collect::<String>());
            eprintln!("{took:?} {shown:?} {result:?}");
        }
        // Fuel bounds the work; this tells an end from none, on a busy machine too.
        assert!(took < Duration::from_secs(60), "{took:?}: {shown}");
        match result {
            Ok(_) => texts += 1,
            Err(Error::Template { .. }) => ended += 1,
            Err(error) => {
                refused += 1;
                assert!(error.to_string().len() < 1000, "{shown}: a long message");
            }
        }
    }
    assert!(
        texts > 10 && refused > 50 && ended > 30,
        "{texts} {refused} {ended}"
    );
}
