//! The daemon killed again and again while ten thousand messages pass.

use super::course::Course;
use crate::milter::Settings;

const MESSAGES: usize = 10_000;
const KILLS: usize = 24;

#[test]
fn ten_thousand_messages_pass_a_daemon_that_is_killed_again_and_again() {
    let (course, plan) = Course::split(Settings::new(), MESSAGES);
    let mut road = plan.start();
    let figures = course.run_split(&mut road, |road, progress| {
        for kill in 1..=KILLS {
            progress.reach(kill * MESSAGES / (KILLS + 1));
            road.crash_daemon();
        }
    });
    assert!(figures.retries > 0, "nobody met a daemon that was away");
    figures.show(&format!("the daemon killed {KILLS} times"));
}
