//! Draws how KTO feels gains and losses, and how strongly they pull, at three β:
//! `docs/figures/value.svg` and `gradient.svg`.
//!
//! `cargo run --release --example value_function [FOLDER]`

use burn::tensor::{Bool, Device, Tensor};
use burn_kto::prelude::*;
use plotters::prelude::*;
use std::error::Error;
use std::path::{Path, PathBuf};

const BETAS: [(f64, RGBColor); 3] = [
    (0.05, RGBColor(0, 114, 178)),
    (0.1, RGBColor(0, 158, 115)),
    (0.5, RGBColor(213, 94, 0)),
];
const POINTS: usize = 161;
const RANGE: f64 = 40.0;

/// One line of a figure: r − z0 against value or slope.
type Line = Vec<(f64, f64)>;

/// The value 1 − l of a desirable completion, and −∂l/∂r, at each r − z0: from the loss itself.
fn lines(beta: f64) -> (Line, Line) {
    let device = Device::flex().autodiff();
    let at = |i: usize| (2.0 * i as f64 / (POINTS - 1) as f64 - 1.0) * RANGE;
    let ratios: Vec<f64> = (0..POINTS).map(at).collect();
    let policy = Tensor::<1>::from_data(&ratios[..], &device).require_grad();
    let kto = KtoLossConfig::new().with_beta(beta).init();
    let out = kto.forward(
        policy.clone(),
        Tensor::zeros([POINTS], &device),
        Tensor::<1, Bool>::full([POINTS], true, &device),
        Tensor::zeros([1], &device),
    );
    let grads = out.loss.backward();
    let slopes = policy.grad(&grads).expect("the policy is on the graph");
    let with = |values: Tensor<1>, f: &dyn Fn(f64) -> f64| -> Line {
        let values = values.into_data();
        let values = values.iter::<f64>().map(f);
        ratios.iter().copied().zip(values).collect()
    };
    // The loss is a mean: each point's slope is a POINTSth of its own.
    let slope = with(slopes, &|g| -g * POINTS as f64);
    (with(out.losses, &|loss| 1.0 - loss), slope)
}

fn figure(path: &Path, title: &str, top: f64, lines: &[Line]) -> Result<(), Box<dyn Error>> {
    let area = SVGBackend::new(path, (640, 400)).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(50)
        .build_cartesian_2d(-RANGE..RANGE, 0.0..top)?;
    chart
        .configure_mesh()
        .x_desc("r - z0 of a desirable completion")
        .max_light_lines(1)
        .draw()?;
    for (line, (beta, colour)) in lines.iter().zip(BETAS) {
        let drawn = LineSeries::new(line.iter().copied(), colour.stroke_width(2));
        chart
            .draw_series(drawn)?
            .label(format!("beta = {beta}"))
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE)
        .border_style(BLACK)
        .draw()?;
    area.present()?;
    println!("{}", path.display());
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/figures"),
        PathBuf::from,
    );
    std::fs::create_dir_all(&folder)?;
    let (values, slopes): (Vec<Line>, Vec<Line>) =
        BETAS.map(|(beta, _)| lines(beta)).into_iter().unzip();
    figure(
        &folder.join("value.svg"),
        "Value of a completion, 1 - loss",
        1.0,
        &values,
    )?;
    figure(
        &folder.join("gradient.svg"),
        "Pull on its log-probability, at most beta/4",
        0.13,
        &slopes,
    )
}
