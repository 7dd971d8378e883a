//! The list of cases, and what they came to.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use libtest_mimic::{Arguments, Failed, Trial};

/// What a case that did not fail came to.
pub(crate) enum Outcome {
    /// The answer is Kafka's.
    Same,
    /// The answer differs on purpose.
    Differs {
        /// Which of our rules makes the difference, and why it is so.
        rule: String,
        /// What is particular about this case; may be empty.
        about: String,
    },
}

/// What the cases that ran came to.
#[derive(Default)]
struct Tally {
    classes: BTreeMap<&'static str, (u32, u32)>,
    differences: BTreeMap<String, Vec<String>>,
    elsewhere: BTreeMap<(&'static str, &'static str), Vec<String>>,
}

/// All cases, by class.
#[derive(Default)]
pub(crate) struct Suite {
    trials: Vec<Trial>,
    tally: Arc<Mutex<Tally>>,
}

impl Suite {
    /// Adds one case.
    pub(crate) fn case(
        &mut self,
        class: &'static str,
        name: &str,
        check: impl FnOnce() -> Result<Outcome, Failed> + Send + 'static,
    ) {
        let (name, tally) = (name.to_owned(), Arc::clone(&self.tally));
        self.trials
            .push(Trial::test(format!("{class}/{name}"), move || {
                let result = check();
                let mut tally = tally.lock().map_err(|error| error.to_string())?;
                let (passed, failed) = tally.classes.entry(class).or_default();
                match result {
                    Ok(outcome) => {
                        *passed += 1;
                        if let Outcome::Differs { rule, about } = outcome {
                            let line = if about.is_empty() {
                                name
                            } else {
                                format!("{name} ({about})")
                            };
                            tally.differences.entry(rule).or_default().push(line);
                        }
                        Ok(())
                    }
                    Err(failure) => {
                        *failed += 1;
                        Err(failure)
                    }
                }
            }));
    }

    /// Adds a case that cannot be made from its file.
    pub(crate) fn broken(&mut self, name: &str, message: String) {
        self.trials
            .push(Trial::test(name.to_owned(), move || Err(message.into())));
    }

    /// Counts a case that is not asked here, and says why: neither passed nor failed.
    pub(crate) fn elsewhere(&mut self, class: &'static str, name: &str, why: &'static str) {
        if let Ok(mut tally) = self.tally.lock() {
            let names = tally.elsewhere.entry((class, why)).or_default();
            names.push(name.to_owned());
        }
    }

    /// Runs what the arguments select and prints the summary.
    pub(crate) fn run(self, arguments: &Arguments) -> ExitCode {
        let conclusion = libtest_mimic::run(arguments, self.trials);
        if let Ok(tally) = self.tally.lock()
            && !arguments.list
        {
            tally.print();
        }
        conclusion.exit_code()
    }
}

impl Tally {
    fn print(&self) {
        for (rule, names) in &self.differences {
            println!(
                "DIFFERENCE on purpose, {}: {rule}: {}",
                names.len(),
                names.join(", ")
            );
        }
        for ((class, why), names) in &self.elsewhere {
            println!(
                "NOT ASKED, {class} {}: {why}: {}",
                names.len(),
                names.join(", ")
            );
        }
        for (class, (passed, failed)) in &self.classes {
            println!("{class}: {passed} passed, {failed} failed");
        }
    }
}
