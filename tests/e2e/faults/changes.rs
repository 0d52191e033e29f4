//! Fifty thousand list changes while mail flows.

use std::fmt::Write as _;
use std::fs;

use super::course::Course;
use super::letters;
use crate::milter::Settings;

const MESSAGES: usize = 500;
const FILES: usize = 10;
const LINES: usize = 5_000;

/// Half of the changes are of other users; the others give those who are looked at entries for senders who never write.
#[test]
fn fifty_thousand_list_changes_while_mail_flows() {
    let (course, plan) = Course::split(Settings::new(), MESSAGES);
    let mut road = plan.start();
    let others: String =
        (0..100).map(|user| format!("{},,acme\n", road.plan.address(&format!("autre{user}")))).collect();
    let path = road.plan.daemon.beside_store("others.csv");
    fs::write(&path, format!("address,aliases,organisation\n{others}")).expect("our own directory");
    road.plan.daemon.command(&["user", "import", &path.display().to_string()]);

    let figures = course.run_split(&mut road, |road, progress| {
        for file in 0..FILES {
            let path = road.plan.daemon.beside_store("changes.csv");
            let mut text = "user,list,value\n".to_owned();
            for line in 0..LINES {
                let user = match line % 2 {
                    0 => format!("autre{}", line % 100),
                    _ => letters::name(line % letters::users().count()),
                };
                let list = ["personal", "black", "white"][line % 3];
                let _ = writeln!(text, "{},{list},m{line}-{file}@jamais.example", road.plan.address(&user));
            }
            fs::write(&path, text).expect("our own directory");
            let said = road.plan.daemon.command(&["entry", "import", &path.display().to_string()]);
            assert!(said.contains(&LINES.to_string()), "{said}");
        }
        progress.pass(1);
    });
    assert_eq!(figures.retries, 0, "a sender noticed the changes");
    figures.show(&format!("{} list changes meanwhile", FILES * LINES));
}
