//! Taking up a changed configuration file while serving: what it asks for, compared with what is there.
//!
//! A file that cannot be used changes nothing, and an upstream that cannot be used stays as it was: what is
//! wrong is told as at the start.

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

/// What it takes to follow the file.
pub(super) struct Reload {
    /// The environment of the process, by which the file is read.
    pub(super) environment: Environment,
    pub(super) registry: Registry,
    pub(super) router: Arc<Router>,
    /// What loads the offers of new upstreams from disk, where they are stored.
    pub(super) loader: Option<CacheLoader>,
    pub(super) factory: UpstreamFactory,
}

impl Reload {
    /// Takes up every change of the file until `cancel`.
    pub(super) async fn run(self, mut watcher: FileWatcher, cancel: CancellationToken) {
        let following = async {
            loop {
                match watcher.next().await {
                    FileChange::Modified => self.apply_changed_file().await,
                    FileChange::Removed => warn!(
                        file = %watcher.path().display(),
                        "the configuration file is gone; its upstreams stay as they are, put it back to change them"
                    ),
                }
            }
        };
        cancel.run_until_cancelled(following).await;
    }

    async fn apply_changed_file(&self) {
        let config = match Config::from_environment(&self.environment) {
            Ok(config) => config,
            // It is being replaced; what takes its place is seen as well.
            Err(ConfigError::Unreadable { source, .. })
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                return debug!("the configuration file is gone before it was read");
            }
            Err(failed) => {
                match failed {
                    ConfigError::NoUsableUpstream(problems) => report_problems(&problems),
                    failed => error!("{failed}"),
                }
                return error!("the changed configuration cannot be used; the last one goes on");
            }
        };
        report_problems(&config.problems);
        let old = self.registry.all();
        let next = self.next(&old, config);
        let is_same = |(old, next): (&Upstream, &Upstream)| old.is_same(next);
        if old.len() == next.len() && old.iter().zip(&next).all(is_same) {
            return info!("the configuration file was written, and says what it said");
        }
        let (changes, count) = (Changes::new(&old, &next), next.len());
        drop(old);
        if let Some(loader) = &self.loader {
            // Before they serve, so that there is one change to tell of.
            let cached = next.iter().map(Upstream::cached_upstream);
            let _ = timeout(CACHE_LOAD_TIMEOUT, loader.load(cached)).await;
        }
        self.router.replace_upstreams(next).await;
        info!(
            upstreams = count,
            added = %changes.added.join(", "),
            changed = %changes.changed.join(", "),
            removed = %changes.removed.join(", "),
            "took up the changed configuration"
        );
    }

    /// What is to serve next: as it is where nothing has changed, by the same connection where that
    /// will do, and anew where not.
    fn next(&self, old: &[Upstream], config: Config) -> Vec<Upstream> {
        let kept = upstreams_with_errors(old, &config);
        let find = |name: &UpstreamName| old.iter().find(|it| it.config().name == *name);
        let take = |config: config::Upstream| match find(&config.name) {
            Some(old) if *old.config() == config => old.clone(),
            Some(old) if old.can_share_connection(&config) => old.with_config(config),
            _ => self.factory.make(config),
        };
        let mut next: Vec<_> = config.upstreams.into_iter().map(take).collect();
        for kept in kept {
            warn!(upstream = %kept.config().name, "goes on as it was configured before");
            insert_kept(&mut next, kept, old);
        }
        next
    }
}

/// Tells what is wrong, as at the start.
pub(super) fn report_problems(problems: &[Problem]) {
    for problem in problems {
        match problem.severity {
            Severity::Error => error!("{problem}"),
            Severity::Warning => warn!("{problem}"),
        }
    }
}

/// The upstreams that are not configured any more only because what is written of them has an error. One
/// whose name cannot be read may be any of them.
fn upstreams_with_errors<'a>(old: &'a [Upstream], config: &Config) -> Vec<&'a Upstream> {
    let errors = config.problems.iter().filter(|problem| {
        // A variable has no position, and is not the file's.
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

/// Puts one that stays behind the nearest of those that stood before it.
fn insert_kept(next: &mut Vec<Upstream>, kept: &Upstream, old: &[Upstream]) {
    let before = old.iter().take_while(|it| it.id() != kept.id());
    let places = before.filter_map(|before| {
        let name = &before.config().name;
        next.iter().position(|it| it.config().name == *name)
    });
    let place = places.last().map_or(0, |place| place + 1);
    next.insert(place, kept.clone());
}

/// The names of those that are not as they were.
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
