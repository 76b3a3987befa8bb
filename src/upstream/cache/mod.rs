//! What each upstream offered when it was last connected, on disk beyond the process.
//!
//! A [`CacheLoader`](writer::CacheLoader) brings it from disk before the first listing is answered, and the
//! [`CacheWriter`](writer::CacheWriter) brings it back when it has changed.
//!
//! On disk it is one file an upstream, `<home>/listings/<name>-<hash>.json`, one JSON object (see
//! [`entry`]) with the definitions as the server wrote them, byte by byte. It is a copy that can be had
//! again: one that is damaged, too large, of another format or of another configuration counts as none,
//! and is replaced. Files are replaced whole, so no reader ever sees half of one, and the last writer
//! wins. A process writes what has changed since it last read or wrote it. It does not write what is missing: a
//! person may have deleted it. A file that no process uses for long is evicted ([`eviction`]).
//!
//! A file is valid for one configuration of the upstream, by all of it that changes what a server
//! may offer ([`fingerprint`]). The fingerprint is an HMAC under a key in a file of its own, `listings/key`:
//! some of the configuration is secret, and a reader of the file could guess a short secret from a plain or
//! salted digest. Filters, prefixes and timeouts are no part of it: they are applied to what was loaded.

pub(crate) mod directory;
pub(crate) mod entry;
pub(crate) mod eviction;
pub(crate) mod fingerprint;
pub(crate) mod upstream;
pub(crate) mod writer;
