//! Filters, tests, functions and methods as jinja2 and Python have them, in which nothing takes
//! more time or memory than the fuel of a rendering pays for.

mod args;
mod compare;
mod format;
mod json;
mod lists;
mod methods;
mod objects;
mod parts;
mod sink;
mod tests;
mod text;
mod texts;

use args::Args;
use minijinja::value::ValueKind;
use minijinja::{Environment, Error, State, Value};

/// Makes an environment one of jinja2.
pub(super) fn add(to: &mut Environment<'static>) {
    inner(to);
    for other in ["split", "lines", "bool", "chain", "zip"] {
        to.remove_filter(other);
    }
    to.remove_global("debug");
    to.set_formatter(text::write);
    to.set_unknown_method_callback(methods::call);
    tests::add(to);

    to.add_function("__compare__", compare::compare);
    to.add_function("__join__", |state: &State, values: Args| {
        text::join(state, &values.into_values())
    });
    to.add_function("__mod__", format::modulo);
    to.add_function("__positive__", positive);
    to.add_function("__mapping__", objects::literal);
    to.add_function(
        "__set__",
        |state: &State, space: &Value, name: String, value: Value| {
            objects::set(space, name, lists::solid(state, value)?)
        },
    );
    to.add_function("__sized__", |state: &State, value: Value| {
        objects::sized(state, &value, 0)?;
        Ok::<_, Error>(value)
    });
    to.add_function("__loop__", lists::looped);
    to.add_function("__slice__", lists::slice_of);
    to.add_function("__solid__", lists::solid);
    to.add_function("__method__", objects::method);
    to.add_function("joiner", |between: Option<Value>| {
        let between = between.unwrap_or_else(|| Value::from(", "));
        Value::from_object(objects::Joiner(between, std::sync::Mutex::new(false)))
    });
    to.add_function("namespace", objects::namespace);
    to.add_function("range", objects::Range::of);
    to.add_function("dict", objects::dict);

    to.add_filter("tojson", json::tojson);
    to.add_filter("safe", |state: &State, value: Value| {
        text::text(state, &value)
    });
    to.add_filter("string", |state: &State, value: Value| {
        text::text(state, &value)
    });
    for name in ["default", "d"] {
        to.add_filter(name, default);
    }
    to.add_filter("trim", texts::trim);
    to.add_filter("indent", texts::indent);
    to.add_filter("center", texts::center);
    to.add_filter("truncate", texts::truncate);
    to.add_filter("wordcount", texts::wordcount);
    for name in ["forceescape", "escape", "e"] {
        to.add_filter(name, texts::forceescape);
    }
    to.add_filter("urlencode", texts::urlencode);
    to.add_filter("filesizeformat", texts::filesizeformat);
    to.add_filter("int", texts::int);
    to.add_filter("float", texts::float);
    to.add_filter("format", |state: &State, text: &str, args: Args| {
        format::percent(state, text, &args.into_values())
    });
    to.add_filter("replace", replace);
    to.add_filter("list", lists::list);
    to.add_filter("sort", lists::sort);
    to.add_filter("max", lists::max);
    to.add_filter("min", lists::min);
    to.add_filter("unique", lists::unique);
    to.add_filter("join", lists::join);
    to.add_filter("sum", lists::sum);
    to.add_filter("reverse", lists::reverse);
    to.add_filter("first", lists::first);
    to.add_filter("last", lists::last);
    for name in ["length", "count"] {
        to.add_filter(name, lists::length);
    }
    to.add_filter("items", lists::pairs);
    to.add_filter("dictsort", lists::dictsort);
    to.add_filter("attr", lists::attr);
    to.add_filter("pprint", lists::pprint);
    to.add_filter("map", lists::map);
    to.add_filter("select", lists::select);
    to.add_filter("reject", lists::reject);
    to.add_filter("selectattr", lists::selectattr);
    to.add_filter("rejectattr", lists::rejectattr);
    to.add_filter("batch", lists::batch);
    to.add_filter("slice", lists::slice);
    to.add_filter("groupby", lists::groupby);
}

fn inner(to: &mut Environment<'static>) {
    use minijinja::filters;
    to.add_filter("__map__", filters::map);
    to.add_filter("__select__", filters::select);
    to.add_filter("__reject__", filters::reject);
    to.add_filter("__selectattr__", filters::selectattr);
    to.add_filter("__rejectattr__", filters::rejectattr);
    to.add_filter("__batch__", filters::batch);
    to.add_filter("__slice__", filters::slice);
    to.add_filter("__groupby__", filters::groupby);
}

/// `+a`.
fn positive(value: Value) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::Number => Ok(value),
        ValueKind::Bool => Ok(Value::from(i64::from(value.is_true()))),
        other => Err(sink::refused(format!("cannot take the sign of {other}"))),
    }
}

fn replace(state: &State, value: Value, args: Args) -> Result<String, Error> {
    let [old, new, count] = args::bind(&args.into_values(), ["old", "new", "count"])?;
    let (Some(old), Some(new)) = (old, new) else {
        return Err(sink::refused("replace takes what is replaced, and what by"));
    };
    let count = usize::try_from(args::whole(&count.filter(|c| !c.is_none()), -1)?);
    let [whole, old, new] = [
        text::text(state, &value)?,
        text::text(state, &old)?,
        text::text(state, &new)?,
    ];
    parts::replaced(state, &whole, &old, &new, count.unwrap_or(usize::MAX))
}

fn default(value: Value, args: Args) -> Result<Value, Error> {
    let [other, falsy] = args::bind(&args.into_values(), ["default_value", "boolean"])?;
    let missing = value.is_undefined() || args::flag(&falsy, false) && !value.is_true();
    Ok(match missing {
        true => other.unwrap_or_else(|| Value::from("")),
        false => value,
    })
}
