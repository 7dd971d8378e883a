//! Changed configurations are taken over while the host runs: by itself, or when somebody asks (`linkspan apply`, SIGHUP).
//!
//! ```text
//! a file changed ─► load and check all ─► not valid: said, the old one runs on
//!                   └─► Control::apply ─► stops what left, restarts what changed, starts what is new; nothing else notices
//! ```
//! Not here: plugins that are rebuilt (`--dev`), what a change does to a connector (the control plane).

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use linkspan_config::{AccessSettings, HostSettings};
use linkspan_rest::{Access, Tls};
use linkspan_runtime::{Applied, Control};
use serde_json::{Value, json};

use super::hosted::Jobs;
use super::listen::read_again;
use super::watch::Watch;
use super::{access, plan, start_failure};
use crate::args::{ConfigArgs, RunArgs};
use crate::connect::Hub;
use crate::exit::Failure;
use crate::plugins::Plugins;
use crate::terminal;

/// What of the listener can be taken over while it listens.
pub(super) type Admission = (Option<Arc<Access>>, Option<Tls>);

/// Takes over changed files of a run.
#[derive(Debug)]
pub(super) struct Reload {
    paths: Vec<PathBuf>,
    config: ConfigArgs,
    control: Control,
    jobs: Arc<Jobs>,
    hub: Arc<Hub>,
    /// Who may ask the listener, where there is one.
    access: Option<Arc<Access>>,
    /// Its certificate, where it has one.
    tls: Option<Tls>,
    /// Held while one reload is made; another one waits.
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    plugins: Plugins,
    /// What was said under `host:` at the start; of it only users and tokens are taken over.
    host: HostSettings,
    files: Watch,
}

impl Reload {
    /// Looks at the files of a run from here on.
    pub(super) fn new(
        args: &RunArgs,
        host: HostSettings,
        plugins: Plugins,
        control: Control,
        jobs: Arc<Jobs>,
        hub: Arc<Hub>,
        (access, tls): Admission,
    ) -> Self {
        let mut files = args.paths.clone();
        files.extend(args.config.overlays.iter().cloned());
        files.extend(args.config.env_file.iter().cloned());
        Self {
            paths: args.paths.clone(),
            config: args.config.clone(),
            control,
            jobs,
            hub,
            access,
            tls,
            state: Mutex::new(State {
                plugins,
                host,
                files: Watch::configurations(files),
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over the files if they changed since the last look.
    pub(super) fn look(&self) {
        let mut state = self.lock();
        if state.files.changed() {
            // What went wrong was said.
            drop(self.take_over(&mut state));
        }
    }

    /// Reads everything again that can be taken over: certificate and key, users and tokens, connectors.
    pub(super) fn everything(&self) {
        terminal::note("SIGHUP: the files are read again");
        if let Some(tls) = &self.tls {
            read_again(tls);
        }
        // What went wrong was said.
        drop(self.now());
    }

    /// Takes over the files as they are now.
    pub(super) fn now(&self) -> Result<Applied, Failure> {
        let mut state = self.lock();
        state.files.take_note();
        self.take_over(&mut state)
    }

    /// Says what [`Reload::now`] would do with the files as they are: `{"valid", "diagnostics", "started", …}`.
    ///
    /// # Errors
    /// The files cannot be read at all.
    pub(super) fn plan(&self) -> Result<Value, Failure> {
        let state = self.lock();
        let request = linkspan_config::Request {
            empty: self.hub.is_heard(),
            ..plan::request(&self.paths, &self.config)?
        };
        let (plan, diagnostics) = plan::check(&request, &state.plugins)?;
        let applied = match &plan {
            Some(plan) => self.control.compare(plan::lasting(plan)?),
            None => Applied::default(),
        };
        Ok(json!({
            "valid": plan.is_some(), "diagnostics": diagnostics.to_json(), "started": applied.started,
            "restarted": applied.restarted, "left": applied.left, "unchanged": applied.unchanged,
        }))
    }

    /// Goes over to other plugins; with a configuration that does not fit them nothing changes.
    pub(super) fn use_plugins(&self, change: impl FnOnce(&Plugins) -> Option<Plugins>) {
        let mut state = self.lock();
        let Some(newer) = change(&state.plugins) else {
            return;
        };
        let older = std::mem::replace(&mut state.plugins, newer);
        self.control.use_plugins(state.plugins.registry.clone());
        if self.take_over(&mut state).is_err() {
            self.control.use_plugins(older.registry.clone());
            state.plugins = older;
        }
    }

    fn take_over(&self, state: &mut State) -> Result<Applied, Failure> {
        let applied = self.apply(state);
        match &applied {
            Ok(applied) => say(applied),
            Err(failure) => {
                failure.clone().report();
                terminal::note(
                    "reload: the changed configuration is not valid; the old one keeps running",
                );
            }
        }
        applied
    }

    fn apply(&self, state: &mut State) -> Result<Applied, Failure> {
        let (plan, _) = plan::load(
            &self.paths,
            &self.config,
            &state.plugins,
            self.hub.is_heard(),
        )?;
        self.let_in(state, &plan.host.access)?;
        if plan.host != state.host {
            terminal::note(
                "reload: settings under `host:` changed; they take effect at the next start",
            );
        }
        let applied = self
            .control
            .apply(plan::lasting(&plan)?, &plan::topics(&plan)?)
            .map_err(start_failure)?;
        self.jobs.reload(&plan)?;
        self.hub.show_files(&plan);
        Ok(applied)
    }
}

impl Reload {
    /// Takes over users and tokens.
    fn let_in(&self, state: &mut State, new: &AccessSettings) -> Result<(), Failure> {
        let old = &state.host.access;
        let Some(access) = &self.access else {
            return Ok(());
        };
        let same = old.users == new.users && old.tokens == new.tokens;
        // Without any everybody is let in: that is for a start, which checks the address.
        if same || !new.asks() {
            return Ok(());
        }
        let (users, tokens) = access::people(new)?;
        access.replace(users, tokens);
        state.host.access.users.clone_from(&new.users);
        state.host.access.tokens.clone_from(&new.tokens);
        terminal::note("reload: users and tokens were taken over");
        Ok(())
    }
}

fn say(applied: &Applied) {
    for name in &applied.left {
        terminal::note(&format!(
            "reload: `{name}` left the configuration: stopped, its offsets stay"
        ));
    }
    for name in &applied.restarted {
        terminal::note(&format!("reload: `{name}` restarted"));
    }
    for name in &applied.started {
        terminal::note(&format!("reload: `{name}` started"));
    }
    if applied.left.len() + applied.restarted.len() + applied.started.len() == 0 {
        terminal::note("reload: nothing changed for any connector");
    }
}
