//! The cache's view of one upstream.

use std::sync::Arc;

use super::entry::{ContentHash, LoadedEntry};
use crate::config;
use crate::sync::Mutex;
use crate::upstream::offers::{Offers, OffersSnapshot};

/// An upstream's offers, with the configuration that identifies its cache file.
#[derive(Debug)]
pub struct CachedUpstream {
    config: Arc<config::Upstream>,
    pub(crate) offers: Arc<Offers>,
    /// The hash of the entry that this process has last loaded or saved.
    saved_hash: Mutex<Option<ContentHash>>,
}

impl CachedUpstream {
    pub(crate) fn new(config: Arc<config::Upstream>, offers: Arc<Offers>) -> Self {
        let saved_hash = Mutex::default();
        Self {
            config,
            offers,
            saved_hash,
        }
    }

    /// Returns the configuration that the upstream is connected by.
    pub(crate) fn config(&self) -> &config::Upstream {
        &self.config
    }

    /// Restores the offers from an entry that was loaded from disk.
    pub(crate) fn restore(&self, LoadedEntry { offers, hash, .. }: LoadedEntry) {
        self.set_saved_hash(hash);
        self.offers.restore(offers);
    }

    /// Returns the offers to save, if they have changed since the last call.
    pub(crate) fn take_unsaved(&self) -> Option<OffersSnapshot> {
        self.offers.take_unsaved()
    }

    /// Makes the next [`Self::take_unsaved`] return the offers again, since they could not be saved.
    pub(crate) fn return_unsaved(&self) {
        self.offers.return_unsaved();
    }

    /// Returns the hash of the entry that this process has last loaded or saved.
    pub(crate) fn saved_hash(&self) -> Option<ContentHash> {
        *self.saved_hash.lock()
    }

    /// Records the hash of an entry that was loaded or saved.
    pub(crate) fn set_saved_hash(&self, hash: ContentHash) {
        *self.saved_hash.lock() = Some(hash);
    }
}
