//! What each upstream offered when it was last connected, on disk beyond the process.
//!
//! A [`CacheLoader`](writer::CacheLoader) brings it from disk before the first listing is answered, and the
//! [`CacheWriter`](writer::CacheWriter) brings it back when it has changed.
//!
//! On disk it is one file an upstream, `<home>/listings/<name>-<hash>.json`, one JSON object (see
//! [`entry`]) with the definitions as the server wrote them, byte by byte. It is a copy that can be had
//! again: one that is damaged, too large, of another format or of another configuration counts as none,
//! and is replaced. Files are replaced whole, so no reader ever sees half of one, and the last one who
//! writes wins. A process writes what has changed since it last read or wrote it, and not what is missing: a
//! person may have deleted it. What no process uses for long is evicted ([`eviction`]).
//!
//! A file is good for one configuration of the upstream alone, by all of it that changes what a server
//! may offer ([`fingerprint`]). It says so by an HMAC under a key that is in a file of its own, `listings/key`:
//! some of what is configured is secret, and a plain or salted digest of a short secret gives it away to
//! who has the file and tries. Filters, prefixes and timeouts are applied to what was loaded, so
//! they are not a part of it.

pub(crate) mod directory;
pub(crate) mod entry;
pub(crate) mod eviction;
pub(crate) mod fingerprint;
pub(crate) mod upstream;
pub(crate) mod writer;
