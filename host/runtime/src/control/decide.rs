//! What a connector's worker does next. A pure function of what is wanted and what is, so that a table can test it.

use super::target::Target;

/// Where a connector stands, in Kafka Connect's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum State {
    /// Nothing is known of it yet, or it waits for an earlier instance to close.
    #[default]
    Unassigned,
    Running,
    Paused,
    Stopped,
    Failed,
    Restarting,
}

impl State {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Unassigned => "UNASSIGNED",
            Self::Running => "RUNNING",
            Self::Paused => "PAUSED",
            Self::Stopped => "STOPPED",
            Self::Failed => "FAILED",
            Self::Restarting => "RESTARTING",
        }
    }
}

/// A restart that somebody asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restart {
    /// Tasks too, not only the connector.
    pub include_tasks: bool,
    /// Only what has failed.
    pub only_failed: bool,
}

impl Restart {
    /// Connect's order of impact; of two requests that wait the greater one holds.
    pub(crate) fn impact(self) -> u8 {
        match (self.only_failed, self.include_tasks) {
            (true, false) => 0,
            (true, true) => 1,
            (false, false) => 2,
            (false, true) => 3,
        }
    }
}

/// What is wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) target: Target,
    /// It stands in a file and the host is not stopping.
    pub(crate) present: bool,
    /// Of the configuration.
    pub(crate) revision: u64,
    /// A paused connector that had tasks before the host restarted has them again.
    pub(crate) tasks_while_paused: bool,
    /// A restart of connector or tasks waits.
    pub(crate) restart: bool,
    /// The time of the next attempt after a failed start has come.
    pub(crate) retry_due: bool,
    /// The work is to be split anew.
    pub(crate) reconfigure: bool,
}

/// What is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Actual {
    pub(crate) state: State,
    /// The configuration that its tasks, or its failed start, belong to; `None` = it has none.
    pub(crate) revision: Option<u64>,
    pub(crate) has_tasks: bool,
    /// Whether its tasks were told to pause.
    pub(crate) held: bool,
}

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Nothing,
    /// Stop all tasks and show STOPPED.
    Stop,
    /// Stop all tasks on the way to a new start.
    Halt,
    /// Make tasks; with `true` they wait for a resume before they open.
    Start(bool),
    /// Show PAUSED; tasks hold still.
    Pause,
    /// Show RUNNING; tasks go on.
    Resume,
    /// Do the restart that waits.
    Restart,
    /// Split the work anew; tasks whose share stays the same go on.
    Reconfigure,
}

pub(crate) fn decide(wanted: Wanted, actual: Actual) -> Step {
    if !wanted.present || wanted.target == Target::Stopped {
        let there = actual.has_tasks || actual.state != State::Stopped;
        return if there { Step::Stop } else { Step::Nothing };
    }
    let changed = actual
        .revision
        .is_some_and(|revision| revision != wanted.revision);
    if changed && actual.has_tasks {
        return Step::Halt;
    }
    if wanted.restart {
        return Step::Restart;
    }
    if wanted.reconfigure && actual.has_tasks && actual.state != State::Failed {
        return Step::Reconfigure;
    }
    // A failed connector moves by a restart, a new configuration, or a stop; a pause or resume is remembered meanwhile.
    if actual.state == State::Failed && !changed && !wanted.retry_due {
        return Step::Nothing;
    }
    match wanted.target {
        Target::Stopped => Step::Nothing,
        Target::Started
            if !actual.has_tasks
                && (actual.revision.is_none()
                    || changed
                    || wanted.retry_due
                    || actual.state != State::Running) =>
        {
            Step::Start(false)
        }
        Target::Started if actual.state != State::Running || actual.held => Step::Resume,
        Target::Started => Step::Nothing,
        Target::Paused if actual.has_tasks => {
            if actual.state == State::Paused && actual.held {
                Step::Nothing
            } else {
                Step::Pause
            }
        }
        Target::Paused if wanted.tasks_while_paused => Step::Start(true),
        Target::Paused if actual.state == State::Paused => Step::Nothing,
        Target::Paused => Step::Pause,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(target: Target) -> Wanted {
        Wanted {
            target,
            present: true,
            revision: 1,
            tasks_while_paused: false,
            restart: false,
            retry_due: false,
            reconfigure: false,
        }
    }

    fn actual(state: State, has_tasks: bool) -> Actual {
        Actual {
            state,
            revision: (has_tasks || state == State::Failed).then_some(1),
            has_tasks,
            held: state == State::Paused && has_tasks,
        }
    }

    /// Every target from every state. The column of FAILED is Connect's rule: only a stop moves it without a restart.
    #[test]
    fn every_target_from_every_state() {
        use State::{Failed, Paused, Running, Stopped, Unassigned};
        let table: [(Target, State, bool, Step); 17] = [
            (Target::Started, Unassigned, false, Step::Start(false)),
            (Target::Started, Stopped, false, Step::Start(false)),
            (Target::Started, Paused, false, Step::Start(false)),
            (Target::Started, Paused, true, Step::Resume),
            (Target::Started, Running, true, Step::Nothing),
            (Target::Started, Failed, false, Step::Nothing),
            (Target::Paused, Unassigned, false, Step::Pause),
            (Target::Paused, Running, true, Step::Pause),
            (Target::Paused, Stopped, false, Step::Pause),
            (Target::Paused, Paused, true, Step::Nothing),
            (Target::Paused, Paused, false, Step::Nothing),
            (Target::Paused, Failed, false, Step::Nothing),
            (Target::Stopped, Running, true, Step::Stop),
            (Target::Stopped, Paused, true, Step::Stop),
            (Target::Stopped, Failed, false, Step::Stop),
            (Target::Stopped, Unassigned, false, Step::Stop),
            (Target::Stopped, Stopped, false, Step::Nothing),
        ];
        for (target, state, has_tasks, expected) in table {
            assert_eq!(
                decide(wanted(target), actual(state, has_tasks)),
                expected,
                "{target:?} from {state:?}, tasks: {has_tasks}"
            );
        }
    }

    #[test]
    fn a_new_configuration_halts_the_tasks_first_and_frees_a_failed_connector() {
        let new = Wanted {
            revision: 2,
            ..wanted(Target::Started)
        };
        assert_eq!(decide(new, actual(State::Running, true)), Step::Halt);
        assert_eq!(
            decide(new, actual(State::Failed, false)),
            Step::Start(false)
        );
        let stopped = Wanted {
            target: Target::Stopped,
            ..new
        };
        assert_eq!(
            decide(stopped, actual(State::Stopped, false)),
            Step::Nothing
        );
    }

    #[test]
    fn what_left_its_file_stops_whatever_was_asked_of_it() {
        for target in [Target::Started, Target::Paused, Target::Stopped] {
            let gone = Wanted {
                present: false,
                restart: true,
                ..wanted(target)
            };
            assert_eq!(decide(gone, actual(State::Running, true)), Step::Stop);
            assert_eq!(decide(gone, actual(State::Stopped, false)), Step::Nothing);
        }
    }

    #[test]
    fn a_restart_or_the_time_of_the_next_attempt_frees_a_failed_connector() {
        let failed = actual(State::Failed, false);
        let asked = Wanted {
            restart: true,
            ..wanted(Target::Started)
        };
        assert_eq!(decide(asked, failed), Step::Restart);
        let due = Wanted {
            retry_due: true,
            ..wanted(Target::Started)
        };
        assert_eq!(decide(due, failed), Step::Start(false));
    }

    #[test]
    fn a_reconfiguration_is_for_connectors_with_tasks_and_comes_after_everything_that_ends_them() {
        let asked = |target| Wanted {
            reconfigure: true,
            ..wanted(target)
        };
        for (target, state, has_tasks, expected) in [
            (Target::Started, State::Running, true, Step::Reconfigure),
            (Target::Paused, State::Paused, true, Step::Reconfigure),
            (Target::Paused, State::Paused, false, Step::Nothing),
            (Target::Started, State::Failed, true, Step::Nothing),
            (Target::Stopped, State::Running, true, Step::Stop),
        ] {
            let step = decide(asked(target), actual(state, has_tasks));
            assert_eq!(step, expected, "{target:?} {state:?} {has_tasks}");
        }
        let both = Wanted {
            restart: true,
            ..asked(Target::Started)
        };
        assert_eq!(decide(both, actual(State::Running, true)), Step::Restart);
        let changed = Wanted {
            revision: 2,
            ..asked(Target::Started)
        };
        assert_eq!(decide(changed, actual(State::Running, true)), Step::Halt);
    }

    #[test]
    fn paused_tasks_come_back_after_a_restart_of_the_host_but_not_after_a_stop() {
        let again = Wanted {
            tasks_while_paused: true,
            ..wanted(Target::Paused)
        };
        assert_eq!(
            decide(again, actual(State::Unassigned, false)),
            Step::Start(true)
        );
        assert_eq!(
            decide(wanted(Target::Paused), actual(State::Stopped, false)),
            Step::Pause
        );
    }
}
