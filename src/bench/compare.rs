//! Several milters in one run: rounds in which each is loaded once, in another order every time, so that whatever else
//! the machine does hits all alike; then the ratios to the first, round by round.

use super::run::Outcome;
use super::tally::Stage;
use super::workload::Draws;

/// Resamples of a bootstrap.
const RESAMPLES: usize = 10_000;

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Messages a second.
    Throughput,
    /// The milter's processor time.
    MilterCost,
    /// The generator's.
    OwnCost,
    /// Half of the messages were quicker.
    Median,
    /// 99 of 100 were.
    P99,
}

impl Measure {
    /// All, in the order in which they are shown.
    pub const ALL: [Self; 5] = [Self::Throughput, Self::MilterCost, Self::OwnCost, Self::Median, Self::P99];

    /// As it is called in tables.
    pub fn title(self) -> &'static str {
        match self {
            Self::Throughput => "messages/s",
            Self::MilterCost => "milter CPU s/1,000",
            Self::OwnCost => "generator CPU s/1,000",
            Self::Median => "message p50, µs",
            Self::P99 => "message p99, µs",
        }
    }

    /// As it is called in JSON.
    pub fn key(self) -> &'static str {
        match self {
            Self::Throughput => "messages_per_second",
            Self::MilterCost => "milter_cpu_per_1000",
            Self::OwnCost => "generator_cpu_per_1000",
            Self::Median => "message_p50",
            Self::P99 => "message_p99",
        }
    }

    /// Decimals that tell something.
    pub fn decimals(self) -> usize {
        match self {
            Self::Throughput => 0,
            Self::MilterCost | Self::OwnCost => 4,
            Self::Median | Self::P99 => 1,
        }
    }

    /// Its value in a run; not a number where it is not known.
    pub fn of(self, outcome: &Outcome) -> f64 {
        let quantile = |at| super::report::quantile(outcome, Stage::Message, at);
        let known = match self {
            Self::Throughput => Some(outcome.throughput()),
            Self::MilterCost => outcome.milter_cost(),
            Self::OwnCost => Some(outcome.own_cost()),
            Self::Median => quantile(0.5),
            Self::P99 => quantile(0.99),
        };
        known.unwrap_or(f64::NAN)
    }
}

/// The order of a round: one further each time, and backwards every other time.
pub fn order(milters: usize, round: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..milters).map(|place| (place + round / 2) % milters).collect();
    if round % 2 == 1 {
        order.reverse();
    }
    order
}

/// A ratio to the first milter, over all rounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    /// The median of the rounds' ratios.
    pub median: f64,
    /// The lower end of the 95 % bootstrap interval of that median.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// The ratio of paired values, round by round; `None` if there is no pair, or none that can be divided.
pub fn ratio(values: &[f64], reference: &[f64]) -> Option<Ratio> {
    let pairs = values.iter().zip(reference);
    let ratios: Vec<f64> =
        pairs.map(|(value, reference)| value / reference).filter(|ratio| ratio.is_finite()).collect();
    let median_of_all = median(&ratios)?;
    // The same rounds give the same interval.
    let mut draws = Draws::new(0);
    let count = u32::try_from(ratios.len()).ok()?;
    let mut sample = vec![0.0; ratios.len()];
    let resampled = (0..RESAMPLES).filter_map(|_| {
        sample.iter_mut().for_each(|value| *value = ratios[draws.below(count) as usize]);
        median(&sample)
    });
    let mut medians: Vec<f64> = resampled.collect();
    medians.sort_by(f64::total_cmp);
    let at = |share: f64| medians[((medians.len() - 1) as f64 * share).round() as usize];
    Some(Ratio { median: median_of_all, low: at(0.025), high: at(0.975) })
}

/// The middle of the values that are numbers, or the mean of the two there.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    Some(if sorted.len() % 2 == 1 { upper } else { (sorted[middle - 1] + upper) / 2.0 })
}

/// One milter's runs, round by round.
#[derive(Debug)]
pub struct Runs {
    /// What it is called.
    pub name: String,
    /// What came out of each round.
    pub outcomes: Vec<Outcome>,
}

impl Runs {
    /// No round yet.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), outcomes: Vec::new() }
    }

    /// The values of a measure, round by round; not a number where it is not known.
    pub fn values(&self, measure: Measure) -> Vec<f64> {
        self.outcomes.iter().map(|outcome| measure.of(outcome)).collect()
    }

    /// Errors of all rounds.
    pub fn errors(&self) -> u64 {
        self.outcomes.iter().map(|outcome| outcome.tally.errors).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_known_values() {
        for (values, expected) in
            [(&[][..], None), (&[3.0], Some(3.0)), (&[4.0, 1.0], Some(2.5)), (&[9.0, 1.0, 5.0], Some(5.0))]
        {
            assert_eq!(median(values), expected);
        }
    }

    #[test]
    fn ratios_are_taken_round_by_round() {
        // Both slow down alike from round to round: the ratio is the same in each.
        let reference: Vec<f64> = (1..=15).map(|round| 100_000.0 / f64::from(round)).collect();
        let values: Vec<f64> = reference.iter().map(|value| value * 0.8).collect();
        let ratio = ratio(&values, &reference).unwrap();
        for value in [ratio.median, ratio.low, ratio.high] {
            assert!((value - 0.8).abs() < 1e-9, "{ratio:?}");
        }
        assert_eq!(super::ratio(&[], &[]), None);
        assert_eq!(super::ratio(&[1.0], &[0.0]), None);
        // A round in which one is not known counts for neither.
        assert_eq!(super::ratio(&[3.0, f64::NAN, 3.0], &[1.0, 1.0, 1.0]).unwrap().median, 3.0);
    }

    /// 1 to 99 over 100: the interval of a median of 99 ranks is that of the ranks 40 and 60.
    #[test]
    fn the_interval_is_that_of_a_known_distribution() {
        let values: Vec<f64> = (1..=99).map(|rank| f64::from(rank) / 100.0).collect();
        let ratio = ratio(&values, &[1.0; 99]).unwrap();
        assert_eq!(ratio.median, 0.5);
        assert!((0.37..=0.42).contains(&ratio.low) && (0.58..=0.63).contains(&ratio.high), "{ratio:?}");
    }

    #[test]
    fn every_milter_has_every_place() {
        let orders: Vec<Vec<usize>> = (0..6).map(|round| order(3, round)).collect();
        for order in &orders {
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2]);
        }
        for place in 0..3 {
            for milter in 0..3 {
                let times = orders.iter().filter(|order| order[place] == milter).count();
                assert_eq!(times, 2, "milter {milter} at place {place}");
            }
        }
    }
}
