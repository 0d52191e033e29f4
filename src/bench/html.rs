//! A run or a comparison as one page that needs nothing else: no script, no font, no picture from elsewhere; the charts
//! are drawn here. Light and dark follow the reader's system.

use std::fmt::Write as _;

use super::compare::{Measure, Runs};
use super::report::{QUANTILES, cell, facts, quantile};
use super::run::{Options, Outcome};
use super::tally::{SLICE, Stage};

const STYLE: &str = "\
:root{color-scheme:light dark;--text:#1c1c1e;--back:#fff;--faint:#6b6b70;--line:#d8d8dc;\
--a:#1d5fbf;--b:#a8471b;--c:#2c7a3f;--d:#7a3fa8}\
@media (prefers-color-scheme:dark){:root{--text:#ececf0;--back:#17171a;--faint:#a0a0a8;--line:#3a3a40;\
--a:#7fb2ff;--b:#ff9f6e;--c:#79d18d;--d:#cf9cff}}\
body{font:16px/1.5 system-ui,sans-serif;color:var(--text);background:var(--back);max-width:60rem;margin:2rem auto;padding:0 1rem}\
table{border-collapse:collapse;margin:1rem 0}th,td{padding:.2rem .8rem;border-bottom:1px solid var(--line);text-align:right}\
th:first-child,td:first-child{text-align:left}svg{width:100%;height:auto}svg text{font:12px system-ui,sans-serif;fill:var(--faint)}\
.grid{stroke:var(--line)}.l0{stroke:var(--a)}.l1{stroke:var(--b)}.l2{stroke:var(--c)}.l3{stroke:var(--d)}\
.l0,.l1,.l2,.l3{fill:none;stroke-width:2}svg .t0{fill:var(--a)}svg .t1{fill:var(--b)}svg .t2{fill:var(--c)}svg .t3{fill:var(--d)}";

/// Size of a chart, and of the room for its labels.
const WIDTH: f64 = 800.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 90.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 20.0;
const BOTTOM: f64 = 40.0;

/// The page of one run.
pub fn run_page(address: &str, options: &Options, outcome: &Outcome) -> String {
    let mut body = heading("Load of a milter");
    body += "<table>";
    for (what, value) in facts(address, options, outcome) {
        let _ = write!(body, "<tr><th scope=\"row\">{}</th><td>{}</td></tr>", escaped(what), escaped(&value));
    }
    body += "</table><h2>Messages a second</h2>";
    body += &throughput_chart(outcome);
    body += "<h2>Time of each stage</h2>";
    body += &times_chart(outcome);
    body += &times_table(outcome);
    page("Load of a milter", &body)
}

/// The page of a comparison.
pub fn comparison_page(options: &Options, runs: &[Runs]) -> String {
    let mut body = heading("Milters compared");
    let rounds = runs.first().map_or(0, |runs| runs.outcomes.len());
    let first = runs.first().map_or("", |runs| &runs.name);
    let _ = write!(
        body,
        "<p>{rounds} rounds in turn, each {} messages a milter over {} connections. Ratios are to {}, round by round: the \
         median and its 95 % bootstrap interval.</p>",
        options.messages,
        options.connections,
        escaped(first)
    );
    for measure in Measure::ALL {
        let _ = write!(body, "<h2>{}</h2>{}", escaped(measure.title()), ratio_chart(runs, measure));
        body += &ratio_table(runs, measure);
    }
    page("Milters compared", &body)
}

fn heading(title: &str) -> String {
    format!("<h1>{title}</h1>")
}

fn page(title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{title}</title>\
         <style>{STYLE}</style></head><body><main>{body}</main></body></html>\n"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn svg(label: &str, height: f64, content: &str) -> String {
    format!("<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\">{content}</svg>", escaped(label))
}

/// Where a share of the width or height lies.
fn x(share: f64) -> f64 {
    LEFT + share * (WIDTH - LEFT - RIGHT)
}

fn y(share: f64) -> f64 {
    HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)
}

/// A horizontal line with its label.
fn level(share: f64, label: &str) -> String {
    let at = y(share);
    format!(
        "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
         <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
        WIDTH - RIGHT,
        LEFT - 8.0,
        at + 4.0
    )
}

fn below(share: f64, label: &str) -> String {
    format!("<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{label}</text>", x(share), HEIGHT - BOTTOM + 20.0)
}

/// Round values within a range, with their labels: steps of 1, 2 or 5 times a power of ten, at most six of them. `high` is
/// above `low`.
fn ticks(low: f64, high: f64) -> Vec<(f64, String)> {
    let least = (high - low) / 5.0;
    let unit = 10_f64.powf(least.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|times| times * unit);
    let step = steps.into_iter().find(|step| *step >= least).unwrap_or(least);
    // What comes out a little beside a whole number stands for it.
    let decimals = (-(step.log10() + 1e-9).floor()).max(0.0) as usize;
    let (first, last) = ((low / step - 1e-9).ceil() as i64, (high / step + 1e-9).floor() as i64);
    let tick = |n: i64| (n as f64 * step, format!("{:.decimals$}", n as f64 * step));
    (first..=last).map(tick).collect()
}

fn line(class: usize, points: &[(f64, f64)]) -> String {
    let points: Vec<String> = points.iter().map(|(at, value)| format!("{:.1},{:.1}", x(*at), y(*value))).collect();
    format!("<polyline class=\"l{class}\" points=\"{}\"/>", points.join(" "))
}

/// The throughput's course. The last slice is not whole, and left out where there are others.
fn throughput_chart(outcome: &Outcome) -> String {
    let slices = &outcome.tally.slices;
    let whole = if slices.len() > 1 { &slices[..slices.len() - 1] } else { &slices[..] };
    let rates: Vec<f64> = whole.iter().map(|count| *count as f64 / SLICE.as_secs_f64()).collect();
    let top = rates.iter().copied().fold(1.0, f64::max) * 1.05;
    let mut content: String = ticks(0.0, top).iter().map(|(rate, label)| level(rate / top, label)).collect();
    let last = (rates.len().max(2) - 1) as f64;
    let end = last * SLICE.as_secs_f64();
    let points: Vec<(f64, f64)> =
        rates.iter().enumerate().map(|(index, rate)| (index as f64 / last, rate / top)).collect();
    content += &line(0, &points);
    content.extend(ticks(0.0, end).iter().map(|(time, label)| below(time / end, &format!("{label} s"))));
    svg("messages a second over time", HEIGHT, &content)
}

/// Times by quantile, on a logarithmic scale.
fn times_chart(outcome: &Outcome) -> String {
    let stages: Vec<Stage> = Stage::ALL.into_iter().filter(|stage| quantile(outcome, *stage, 0.5).is_some()).collect();
    let values = stages.iter().flat_map(|stage| QUANTILES.iter().filter_map(|(at, ..)| quantile(outcome, *stage, *at)));
    let logs: Vec<f64> = values.map(|value| value.max(0.1).log10()).collect();
    let low = logs.iter().copied().fold(f64::INFINITY, f64::min).floor();
    let high = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max).ceil().max(low + 1.0);
    if stages.is_empty() {
        return String::new();
    }
    let share = |value: f64| (value.max(0.1).log10() - low) / (high - low);
    let mut content: String = (low as i32..=high as i32)
        .map(|power| level((f64::from(power) - low) / (high - low), &format!("{} µs", 10_f64.powi(power))))
        .collect();
    let place = |index: usize| index as f64 / (QUANTILES.len() - 1) as f64 * 0.9 + 0.05;
    for (index, (_, title, _)) in QUANTILES.iter().enumerate() {
        content += &below(place(index), title);
    }
    for (class, stage) in stages.iter().enumerate() {
        let points: Vec<(f64, f64)> = QUANTILES
            .iter()
            .enumerate()
            .filter_map(|(index, (at, ..))| Some((place(index), share(quantile(outcome, *stage, *at)?))))
            .collect();
        content += &line(class, &points);
        let _ = write!(
            content,
            "<text class=\"t{class}\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            LEFT + 10.0,
            TOP + 14.0 * (class + 1) as f64,
            stage.title()
        );
    }
    svg("time of each stage by quantile, logarithmic", HEIGHT, &content)
}

fn times_table(outcome: &Outcome) -> String {
    let mut text = "<table><tr><th scope=\"col\">microseconds</th><th scope=\"col\">count</th>".to_owned();
    for (_, title, _) in QUANTILES {
        let _ = write!(text, "<th scope=\"col\">{title}</th>");
    }
    text += "</tr>";
    for stage in Stage::ALL.into_iter().filter(|stage| !outcome.tally.times(*stage).is_empty()) {
        let count = outcome.tally.times(stage).len();
        let _ = write!(text, "<tr><th scope=\"row\">{}</th><td>{count}</td>", stage.title());
        for (at, ..) in QUANTILES {
            let _ = write!(text, "<td>{:.1}</td>", quantile(outcome, stage, at).unwrap_or_default());
        }
        text += "</tr>";
    }
    text + "</table>"
}

/// A point and an interval for each milter, on one scale.
fn ratio_chart(runs: &[Runs], measure: Measure) -> String {
    let ratios: Vec<_> =
        (0..runs.len()).filter_map(|index| Some((index, cell(runs, index, measure)?.ratio?))).collect();
    if ratios.is_empty() {
        return String::new();
    }
    let low = ratios.iter().map(|(_, ratio)| ratio.low).fold(1.0, f64::min) * 0.95;
    let high = ratios.iter().map(|(_, ratio)| ratio.high).fold(1.0, f64::max) * 1.05;
    let place = |value: f64| LEFT + 110.0 + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT - 110.0);
    let height = 30.0 * (ratios.len() + 1) as f64;
    let mut content = String::new();
    let mut marks = ticks(low, high);
    // The reference itself stands out whatever the steps.
    if !marks.iter().any(|(value, _)| (value - 1.0).abs() < 1e-6) {
        marks.push((1.0, "1".to_owned()));
    }
    for (value, label) in marks {
        let _ = write!(
            content,
            "<line class=\"grid\" x1=\"{0:.1}\" x2=\"{0:.1}\" y1=\"0\" y2=\"{1:.1}\"/>\
             <text x=\"{0:.1}\" y=\"{2:.1}\" text-anchor=\"middle\">{label}</text>",
            place(value),
            height - 20.0,
            height - 5.0
        );
    }
    for (row, (index, ratio)) in ratios.iter().enumerate() {
        let at = 15.0 + 30.0 * row as f64;
        let _ = write!(
            content,
            "<text x=\"0\" y=\"{:.1}\">{}</text><line class=\"l0\" x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{at}\" y2=\"{at}\"/>\
             <circle class=\"t0\" cx=\"{:.1}\" cy=\"{at}\" r=\"4\"/>",
            at + 4.0,
            escaped(&runs[*index].name),
            place(ratio.low),
            place(ratio.high),
            place(ratio.median)
        );
    }
    svg(&format!("ratios of {}", measure.title()), height, &content)
}

fn ratio_table(runs: &[Runs], measure: Measure) -> String {
    let mut text = "<table><tr><th scope=\"col\">milter</th><th scope=\"col\">median</th><th scope=\"col\">ratio</th>\
                    <th scope=\"col\">interval</th></tr>"
        .to_owned();
    for (index, milter) in runs.iter().enumerate() {
        let found = cell(runs, index, measure);
        let ratio = found.as_ref().and_then(|cell| cell.ratio);
        let median = found.map_or("not known".to_owned(), |cell| format!("{:.*}", measure.decimals(), cell.median));
        let (middle, interval) = ratio.map_or_else(Default::default, |ratio| {
            (format!("{:.3}", ratio.median), format!("{:.3} to {:.3}", ratio.low, ratio.high))
        });
        let name = escaped(&milter.name);
        let _ =
            write!(text, "<tr><th scope=\"row\">{name}</th><td>{median}</td><td>{middle}</td><td>{interval}</td></tr>");
    }
    text + "</table>"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_is_labelled_with_round_values() {
        for (low, high, expected) in [
            (0.0, 23_456.0, "0 5000 10000 15000 20000"),
            (0.0, 98_765.4, "0 20000 40000 60000 80000"),
            (0.0, 1.05, "0.0 0.5 1.0"),
            (0.0, 0.3, "0.0 0.1 0.2 0.3"),
            (0.0, 50.0, "0 10 20 30 40 50"),
            (0.81, 1.13, "0.9 1.0 1.1"),
            (0.955, 1.045, "0.96 0.98 1.00 1.02 1.04"),
        ] {
            let labels: Vec<String> = ticks(low, high).into_iter().map(|(_, label)| label).collect();
            assert_eq!(labels.join(" "), expected, "{low} to {high}");
        }
    }
}
