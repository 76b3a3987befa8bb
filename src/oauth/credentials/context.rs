//! Everything needed to obtain tokens for one upstream, and the cached credential.
//!
//! The disk is the truth and memory a cache: [`CredentialContext::reload`] compares the two.

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
use crate::oauth::login::login_record::LoginRecord;
use crate::oauth::sign_in::SignInError;
use crate::oauth::store::{LockKind, RecordFile, Snapshot, Store, StoreError};
use crate::oauth::tokens::Tokens;

/// How long to wait for a renewal by another process: longer than any of its requests takes.
pub(crate) const RENEWAL_LOCK_TIMEOUT: Duration = Duration::from_secs(60);

/// The settings, the files and the cached credential of one upstream.
#[derive(Debug)]
pub(crate) struct CredentialContext {
    pub(crate) name: UpstreamName,
    pub(crate) url: ServerUrl,
    pub(crate) settings: OAuth,
    pub(crate) store: Store,
    pub(crate) clients: Arc<Clients>,
    /// Tasks that must finish before the program exits.
    tasks: TaskTracker,
    cached: watch::Sender<CachedCredential>,
    /// Held while this process renews the tokens, so that waiting tasks use the result.
    pub(crate) renewal_mutex: tokio::sync::Mutex<()>,
}

/// The tokens as last read from the disk.
#[derive(Debug, Default)]
pub(crate) struct CachedCredential {
    snapshot: Option<Snapshot<Tokens>>,
    credential: Option<Arc<Credential>>,
}

impl CredentialContext {
    /// Returns `None` if the configuration disables sign-in for the upstream. `home` is the folder
    /// of stored logins.
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
            renewal_mutex: tokio::sync::Mutex::default(),
        }))
    }

    /// Returns the cached credential.
    pub(crate) fn cached(&self) -> Option<Arc<Credential>> {
        self.cached.borrow().credential.clone()
    }

    /// Returns every change of the cached credential.
    pub(crate) fn subscribe(&self) -> watch::Receiver<CachedCredential> {
        self.cached.subscribe()
    }

    /// Returns the cached credential without touching the disk, the path of nearly every request.
    /// `None` if the disk must be read: at first, and when the token expires.
    #[expect(
        clippy::option_option,
        reason = "`Some(None)`: there is no credential; `None`: read the disk"
    )]
    pub(crate) fn cached_unless_stale(&self) -> Option<Option<Arc<Credential>>> {
        let cached = self.cached.borrow();
        match &cached.credential {
            Some(credential) if !credential.expires_soon() => Some(Some(credential.clone())),
            None if cached.snapshot.is_some() => Some(None),
            _ => None,
        }
    }

    /// Returns `true` if there is a token other than the refused one.
    pub(crate) fn has_token_other_than(&self, refused: Option<&Secret>) -> bool {
        let cached = self.cached.borrow();
        let current = cached.credential.as_ref();
        current.is_some_and(|current| Some(&current.tokens.access_token) != refused)
    }

    /// Returns `true` if a credential can be renewed without the user.
    pub(crate) fn can_renew(&self, credential: &Credential) -> bool {
        credential.tokens.refresh_token.is_some() || !self.settings.grant.requires_user_action()
    }

    /// Reads the tokens if the file has changed.
    pub(crate) async fn reload(&self) -> Result<(), SignInError> {
        let is_current = {
            let cached = self.cached.borrow();
            cached.snapshot.as_ref().is_some_and(Snapshot::is_current)
        };
        if !is_current {
            let snapshot = self.store.tokens().load().await?;
            self.update_cache(snapshot);
        }
        Ok(())
    }

    /// Replaces the cached credential by the tokens that were read.
    pub(crate) fn update_cache(&self, snapshot: Snapshot<Tokens>) {
        self.cached.send_modify(|cached| {
            let previous = cached.credential.take();
            if let Some(tokens) = snapshot.record.clone() {
                match Credential::new(tokens, snapshot.version, previous.as_deref()) {
                    Ok(credential) => cached.credential = Some(Arc::new(credential)),
                    Err(error) => warn!(%error, "stored tokens are unusable"),
                }
            }
            cached.snapshot = Some(snapshot);
        });
    }

    /// Returns the record of logins, which all processes share.
    pub(crate) fn login_record(&self) -> RecordFile<LoginRecord> {
        self.store.record_file("login.json")
    }

    /// Reads the record of logins; an empty one if there is no file.
    pub(crate) async fn load_login_record(&self) -> Result<LoginRecord, SignInError> {
        Ok(self.login_record().load().await?.record.unwrap_or_default())
    }

    /// Waits until no other process renews the tokens, and locks them.
    pub(crate) async fn lock_renewal(&self) -> Result<Lock, SignInError> {
        Ok(self
            .store
            .lock(LockKind::Refresh, RENEWAL_LOCK_TIMEOUT)
            .await?)
    }

    /// Returns the error for a token that the upstream refuses repeatedly.
    pub(crate) fn token_refused_error(&self) -> SignInError {
        SignInError::TokenRefused(self.name.clone())
    }

    /// Returns the log span of the upstream, independent of the calling task.
    pub(crate) fn span(&self) -> Span {
        info_span!(parent: None, "upstream", name = %self.name)
    }

    /// Runs a future in a task that continues if the caller is dropped.
    pub(crate) fn run_to_completion<T, F>(
        &self,
        future: F,
    ) -> impl Future<Output = Result<T, SignInError>> + use<T, F>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, SignInError>> + Send + 'static,
    {
        let task = self.tasks.spawn(future.instrument(self.span()));
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
