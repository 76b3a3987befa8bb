//! What is needed to get tokens for one upstream, and the tokens that are in use.
//!
//! The disk is the truth and memory a copy: [`CredentialContext::reload`] looks whether the two differ.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, Span, info_span, warn};

use crate::config::{self, OAuth, Secret, ServerUrl, UpstreamName};
use crate::disk::{DiskError, Lock};
use crate::net::Clients;
use crate::oauth::credential::Credential;
use crate::oauth::login::logins::Logins;
use crate::oauth::sign_in::SignInError;
use crate::oauth::store::{RecordFile, Snapshot, Store, StoreError, Task};
use crate::oauth::tokens::Tokens;

/// How long others may take to renew before we give up on them: longer than any request of theirs.
pub(crate) const RENEWAL_PATIENCE: Duration = Duration::from_secs(60);

/// The settings, the files and the current credential of one upstream.
#[derive(Debug)]
pub(crate) struct CredentialContext {
    pub(crate) name: UpstreamName,
    pub(crate) url: ServerUrl,
    pub(crate) settings: OAuth,
    pub(crate) store: Store,
    pub(crate) clients: Arc<Clients>,
    /// What has to be finished before the program ends.
    tasks: TaskTracker,
    cached: watch::Sender<CachedCredential>,
    /// Held while tokens are renewed, so that the others take what comes of it.
    pub(crate) renewing: tokio::sync::Mutex<()>,
}

/// What is known of the tokens on the disk.
#[derive(Debug, Default)]
pub(crate) struct CachedCredential {
    read: Option<Snapshot<Tokens>>,
    credential: Option<Arc<Credential>>,
}

impl CredentialContext {
    /// The context of an upstream, if the configuration lets us sign in to it. `home` is where logins are kept.
    pub(crate) fn new(
        home: &Path,
        upstream: &config::Upstream,
        clients: Arc<Clients>,
        tasks: TaskTracker,
    ) -> Option<Arc<Self>> {
        Some(Arc::new(Self {
            name: upstream.name.clone(),
            url: upstream.url.clone(),
            settings: upstream.oauth.clone()?,
            store: Store::new(home, &upstream.name, &upstream.url),
            clients,
            tasks,
            cached: watch::Sender::default(),
            renewing: tokio::sync::Mutex::default(),
        }))
    }

    /// The current credential, as far as it was read.
    pub(crate) fn cached(&self) -> Option<Arc<Credential>> {
        self.cached.borrow().credential.clone()
    }

    /// Every change of the current credential.
    pub(crate) fn subscribe(&self) -> watch::Receiver<CachedCredential> {
        self.cached.subscribe()
    }

    /// What nearly every request is signed with: one look at the memory. `None` when the disk has
    /// to be looked at, at first and when a token expires.
    #[expect(
        clippy::option_option,
        reason = "known to be none is not the same as not known"
    )]
    pub(crate) fn known_good(&self) -> Option<Option<Arc<Credential>>> {
        let cached = self.cached.borrow();
        match &cached.credential {
            Some(credential) if !credential.expires() => Some(Some(credential.clone())),
            None if cached.read.is_some() => Some(None),
            _ => None,
        }
    }

    /// Whether there is a token, and another than the refused one.
    pub(crate) fn has_other_than(&self, refused: Option<&Secret>) -> bool {
        let cached = self.cached.borrow();
        let current = cached.credential.as_ref();
        current.is_some_and(|current| Some(&current.tokens.access_token) != refused)
    }

    /// Whether a credential can be renewed without a person.
    pub(crate) fn can_renew(&self, credential: &Credential) -> bool {
        credential.tokens.refresh_token.is_some() || !self.settings.grant.needs_a_person()
    }

    /// Reads the tokens on the disk if they are others than those in memory.
    pub(crate) async fn reload(&self) -> Result<(), SignInError> {
        let is_current = {
            let cached = self.cached.borrow();
            cached.read.as_ref().is_some_and(Snapshot::is_current)
        };
        if !is_current {
            let read = self.store.tokens().load().await?;
            self.adopt(read);
        }
        Ok(())
    }

    /// Takes what is on the disk for the truth.
    pub(crate) fn adopt(&self, read: Snapshot<Tokens>) {
        self.cached.send_modify(|cached| {
            let before = cached.credential.take();
            if let Some(tokens) = read.record.clone() {
                match Credential::new(tokens, read.version, before.as_deref()) {
                    Ok(credential) => cached.credential = Some(Arc::new(credential)),
                    Err(error) => warn!(%error, "stored tokens are not used"),
                }
            }
            cached.read = Some(read);
        });
    }

    /// What all processes know of the logins.
    pub(crate) fn logins(&self) -> RecordFile<Logins> {
        self.store.record_file("login.json")
    }

    /// Waits until no other process renews the tokens.
    pub(crate) async fn lock_renewal(&self) -> Result<Lock, SignInError> {
        Ok(self.store.lock(Task::Refresh, RENEWAL_PATIENCE).await?)
    }

    /// The error for a token that is refused again and again.
    pub(crate) fn token_refused(&self) -> SignInError {
        SignInError::TokenRefused(self.name.clone())
    }

    /// Where the log says whose login it is, whoever began it.
    pub(crate) fn span(&self) -> Span {
        info_span!(parent: None, "upstream", name = %self.name)
    }

    /// Does something in a task that goes on when the caller is gone. Returns the wait for it.
    pub(crate) fn run_to_end<T, F>(
        &self,
        doing: F,
    ) -> impl Future<Output = Result<T, SignInError>> + use<T, F>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, SignInError>> + Send + 'static,
    {
        let task = self.tasks.spawn(doing.instrument(self.span()));
        async move {
            match task.await {
                Ok(done) => done,
                Err(error) => match error.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    Err(_) => Err(StoreError::from(DiskError::ShuttingDown).into()),
                },
            }
        }
    }
}
