//! A chart of bars, drawn here as SVG. The figures stand beside it, for those who do not see it.

/// Width of the drawing, in its own units.
const WIDTH: u64 = 600;
/// Height of the drawing, likewise.
const HEIGHT: u64 = 120;
/// Between two bars.
const GAP: u64 = 2;
/// The drawing's frame, as SVG has it.
pub const FRAME: &str = "0 0 600 120";

/// Values as bars from left to right, with the figures that stand beside them.
pub struct Chart {
    /// The bars; none for a value of 0.
    pub bars: Vec<Bar>,
    /// The last value.
    pub last: u64,
    /// The largest value.
    pub most: u64,
    /// The sum of the values.
    pub sum: u64,
}

/// One bar, placed.
pub struct Bar {
    /// From the left.
    pub x: u64,
    /// From the top.
    pub y: u64,
    /// How wide.
    pub width: u64,
    /// How high.
    pub height: u64,
}

impl Chart {
    /// A chart of values.
    pub fn new(values: &[u64]) -> Self {
        let most = values.iter().copied().max().unwrap_or(0);
        let step = WIDTH / values.len().max(1) as u64;
        let bar = |(at, value): (u64, &u64)| {
            let height = (u128::from(*value) * u128::from(HEIGHT) / u128::from(most.max(1))).max(1) as u64;
            Bar { x: at * step, y: HEIGHT - height, width: step.saturating_sub(GAP).max(1), height }
        };
        let bars = (0..).zip(values).filter(|(_, value)| **value > 0).map(bar).collect();
        let sum = values.iter().fold(0, |sum: u64, value| sum.saturating_add(*value));
        Self { bars, last: values.last().copied().unwrap_or(0), most, sum }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_stand_on_the_ground_and_the_largest_fills_the_height() {
        assert_eq!(FRAME, format!("0 0 {WIDTH} {HEIGHT}"));
        let chart = Chart::new(&[0, 5, 10]);
        let placed: Vec<_> = chart.bars.iter().map(|bar| (bar.x, bar.y, bar.height)).collect();
        assert_eq!(placed, [(200, 60, 60), (400, 0, 120)]);
        assert!(chart.bars.iter().all(|bar| bar.y + bar.height == HEIGHT && bar.x + bar.width <= WIDTH));
        assert_eq!((chart.most, chart.last, chart.sum), (10, 10, 15));
        assert!(Chart::new(&[]).bars.is_empty());
        assert_eq!(Chart::new(&[1, u64::MAX]).bars.len(), 2);
    }
}
