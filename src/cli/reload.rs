//! Hot reload: applies a changed configuration file while serving.
//!
//! An invalid file changes nothing. An invalid upstream keeps its previous configuration. Problems are
//! reported as at the start.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::runtime::CACHE_LOAD_TIMEOUT;
use super::upstream_factory::UpstreamFactory;
use super::watch::{FileChange, FileWatcher};
use crate::config::{self, Config, ConfigError, Environment, Problem, Severity, UpstreamName};
use crate::router::Router;
use crate::upstream::{CacheLoader, Registry, Upstream};

/// Applies changes of the configuration file.
pub(super) struct Reload {
    /// The environment of the process, which names the file and sets variables in it.
    pub(super) environment: Environment,
    pub(super) registry: Registry,
    pub(super) router: Arc<Router>,
    /// Loads the cached listings of new upstreams, if there is a cache.
    pub(super) loader: Option<CacheLoader>,
    pub(super) factory: UpstreamFactory,
}

impl Reload {
    /// Applies every change of the file until `cancel`.
    pub(super) async fn run(self, mut watcher: FileWatcher, cancel: CancellationToken) {
        let reloading = async {
            loop {
                match watcher.next().await {
                    FileChange::Modified => self.apply_changed_file().await,
                    FileChange::Removed => warn!(
                        file = %watcher.path().display(),
                        "the configuration file is missing; the last configuration stays in use until the file is back"
                    ),
                }
            }
        };
        cancel.run_until_cancelled(reloading).await;
    }

    async fn apply_changed_file(&self) {
        let config = match Config::from_environment(&self.environment) {
            Ok(config) => config,
            // An editor is replacing the file; the watcher reports the new one.
            Err(ConfigError::Unreadable { source, .. })
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                return debug!("the configuration file was removed before it was read");
            }
            Err(failed) => {
                match failed {
                    ConfigError::NoUsableUpstream(problems) => report_problems(&problems),
                    failed => error!("{failed}"),
                }
                return error!(
                    "the changed configuration cannot be used; the last one stays in use"
                );
            }
        };
        report_problems(&config.problems);
        let old = self.registry.all();
        let next = self.next_upstreams(&old, config);
        let is_same = |(old, next): (&Upstream, &Upstream)| old.is_same(next);
        if old.len() == next.len() && old.iter().zip(&next).all(is_same) {
            return info!("the configuration file was written without changes");
        }
        let (changes, count) = (Changes::new(&old, &next), next.len());
        drop(old);
        if let Some(loader) = &self.loader {
            // Loaded before the upstreams are added, so that clients get one list change.
            let cached = next.iter().map(Upstream::cached_upstream);
            let _ = timeout(CACHE_LOAD_TIMEOUT, loader.load(cached)).await;
        }
        self.router.replace_upstreams(next).await;
        info!(
            upstreams = count,
            added = %changes.added.join(", "),
            changed = %changes.changed.join(", "),
            removed = %changes.removed.join(", "),
            "applied the changed configuration"
        );
    }

    /// Returns the upstreams of the new configuration.
    ///
    /// An unchanged upstream stays as it is. An upstream that connects in the same way keeps its
    /// connection. All others are created.
    fn next_upstreams(&self, old: &[Upstream], config: Config) -> Vec<Upstream> {
        let kept = upstreams_with_errors(old, &config);
        let find = |name: &UpstreamName| old.iter().find(|it| it.config().name == *name);
        let take = |config: config::Upstream| match find(&config.name) {
            Some(old) if *old.config() == config => old.clone(),
            Some(old) if old.can_share_connection(&config) => old.with_config(config),
            _ => self.factory.make(config),
        };
        let mut next: Vec<_> = config.upstreams.into_iter().map(take).collect();
        for kept in kept {
            warn!(upstream = %kept.config().name, "keeping the previous configuration");
            insert_kept(&mut next, kept, old);
        }
        next
    }
}

/// Logs the problems of a configuration.
pub(super) fn report_problems(problems: &[Problem]) {
    for problem in problems {
        match problem.severity {
            Severity::Error => error!("{problem}"),
            Severity::Warning => warn!("{problem}"),
        }
    }
}

/// Returns the upstreams that are missing in the new configuration because their entries have errors.
///
/// An entry without a readable name may be any of the missing upstreams, so all of them are kept.
fn upstreams_with_errors<'a>(old: &'a [Upstream], config: &Config) -> Vec<&'a Upstream> {
    let errors = config.problems.iter().filter(|problem| {
        // A problem without a position is about a variable, not about the file.
        problem.severity == Severity::Error && problem.place.position.is_some()
    });
    let (mut any, mut bad) = (false, HashSet::new());
    for problem in errors {
        match &problem.upstream {
            Some(name) => drop(bad.insert(name)),
            None => any = true,
        }
    }
    let read: HashSet<_> = config.upstreams.iter().map(|it| &it.name).collect();
    let old = old.iter().filter(|old| {
        let name = &old.config().name;
        !read.contains(name) && (any || bad.contains(name))
    });
    old.collect()
}

/// Inserts an upstream that is kept after its nearest predecessor that still exists.
fn insert_kept(next: &mut Vec<Upstream>, kept: &Upstream, old: &[Upstream]) {
    let before = old.iter().take_while(|it| it.id() != kept.id());
    let places = before.filter_map(|before| {
        let name = &before.config().name;
        next.iter().position(|it| it.config().name == *name)
    });
    let place = places.last().map_or(0, |place| place + 1);
    next.insert(place, kept.clone());
}

/// The names of upstreams that were added, changed or removed.
struct Changes {
    added: Vec<String>,
    changed: Vec<String>,
    removed: Vec<String>,
}

impl Changes {
    fn new(old: &[Upstream], next: &[Upstream]) -> Self {
        let name = |it: &Upstream| it.config().name.to_string();
        let named = |all: &[Upstream], it: &Upstream| {
            let known = all.iter().find(|other| name(other) == name(it));
            known.cloned()
        };
        let is_changed = |next: &&Upstream| named(old, next).is_some_and(|old| !old.is_same(next));
        let added = next.iter().filter(|next| named(old, next).is_none());
        let removed = old.iter().filter(|old| named(next, old).is_none());
        Self {
            added: added.map(name).collect(),
            changed: next.iter().filter(is_changed).map(name).collect(),
            removed: removed.map(name).collect(),
        }
    }
}
