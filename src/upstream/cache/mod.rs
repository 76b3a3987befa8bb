//! The listing cache: what each upstream offered when it was last connected, on disk.
//!
//! A [`CacheLoader`](writer::CacheLoader) loads it before the first listing is answered, and the
//! [`CacheWriter`](writer::CacheWriter) saves each change.
//!
//! Each upstream has one file, `<home>/listings/<name>-<hash>.json`. The file is one JSON object ([`entry`])
//! with the definitions exactly as the server wrote them.
//!
//! - A file that is damaged, too large, of another format or of another configuration is ignored and replaced.
//! - Files are replaced as a whole, so a reader never sees half of one. The last writer wins.
//! - A process saves only offers that have changed since it last loaded or saved them. It does not restore a
//!   missing file, since the user may have deleted it.
//! - A file that no process has used for a long time is evicted ([`eviction`]).
//!
//! A file is valid for one configuration of the upstream. Only the parts that change what a server may offer
//! count ([`fingerprint`]). Filters, prefixes and timeouts do not count, since they are applied after
//! loading. The fingerprint is an HMAC, since parts of the configuration are secret. From a plain or salted
//! digest, a short secret could be guessed. Its key has a file of its own, `listings/key`.

pub(crate) mod directory;
pub(crate) mod entry;
pub(crate) mod eviction;
pub(crate) mod fingerprint;
pub(crate) mod upstream;
pub(crate) mod writer;
