//! One part of the road goes away and comes back, again and again: the second pass alone, Postfix alone.

use super::course::Course;
use super::gate::Gate;
use crate::milter::Settings;

const MESSAGES: usize = 500;
const TIMES: usize = 10;

#[test]
fn the_split_listener_goes_away_and_comes_back() {
    let (course, plan) = Course::split(Settings::new(), MESSAGES);
    let mut gate = Gate::before(plan.split_listener());
    let mut road = plan.split_seen_at(gate.port()).start();
    let figures = course.run_split(&mut road, |_, progress| {
        for time in 1..=TIMES {
            progress.reach(time * MESSAGES / (TIMES + 1));
            gate.close();
            // The edge takes mail meanwhile, and its copies wait in the queue.
            progress.pass(20);
            gate.open();
        }
    });
    assert_eq!(figures.retries, 0, "a sender noticed that the second pass was away");
    figures.show(&format!("the split listener away {TIMES} times"));
}

#[test]
fn postfix_is_killed_again_and_again() {
    let (course, plan) = Course::split(Settings::new(), MESSAGES);
    let mut road = plan.start();
    let figures = course.run_split(&mut road, |road, progress| {
        for time in 1..=TIMES {
            progress.reach(time * MESSAGES / (TIMES + 1));
            road.crash_postfix();
        }
    });
    assert!(figures.retries > 0, "nobody met a Postfix that was away");
    figures.show(&format!("Postfix killed {TIMES} times"));
}

/// Daemon and Postfix together, as when a machine loses its power.
#[test]
fn everything_is_killed_at_once() {
    let (course, plan) = Course::split(Settings::new(), MESSAGES);
    let mut road = plan.start();
    let figures = course.run_split(&mut road, |road, progress| {
        for time in 1..=TIMES {
            progress.reach(time * MESSAGES / (TIMES + 1));
            road.crash_daemon();
            road.crash_postfix();
        }
    });
    assert!(figures.retries > 0, "nobody met a Postfix that was away");
    figures.show(&format!("daemon and Postfix killed {TIMES} times"));
}
