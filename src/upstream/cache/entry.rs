//! The cache file of one upstream: its content, written and read.
//!
//! The file is a JSON object with these members. `written` is last, so that two entries that differ only in it
//! begin with the same bytes.
//!
//! | member | content |
//! |---|---|
//! | `format` | [`FORMAT`] |
//! | `url` | the URL of the upstream without its query, for users to read |
//! | `bound` | the [`fingerprint`](super::fingerprint) of the configuration |
//! | `era`, `version` | the era and the revision of the server |
//! | `capabilities`, `instructions` | as the server declared them, if it did |
//! | `tools` | the definitions, as the server wrote them |
//! | `prompts`, `resources`, `resourceTemplates` | likewise; missing if they were never read |
//! | `written` | when the file was written, in seconds since 1970 |

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::protocol::revision::{LEGACY, MODERN};
use crate::protocol::{Era, Item, ItemKind, ServerProfile, Tool};
use crate::upstream::offers::OffersSnapshot;
use crate::upstream::offers::tools::ToolList;

/// The version of the format. Files of another version are ignored.
const FORMAT: u32 = 1;

/// The beginning of the last member.
const WRITTEN: &str = ",\"written\":";

/// The hash of an entry without its time. Entries of equal content have equal hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ContentHash([u8; 32]);

impl ContentHash {
    fn compute(content: &[u8]) -> Self {
        Self(Sha256::digest(content).into())
    }
}

/// The content of one upstream's cache file, without the time of writing.
#[derive(Debug)]
pub(crate) struct CacheEntry(Vec<u8>);

/// An entry that was read from disk.
#[derive(Debug)]
pub(crate) struct LoadedEntry {
    pub(crate) offers: OffersSnapshot,
    pub(crate) hash: ContentHash,
    /// When the file was written, in seconds since 1970.
    pub(crate) written_at: u64,
}

/// Why a cache file is ignored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    /// The file was cut off, or another program wrote it.
    #[error("the file is damaged: {0}")]
    Damaged(#[from] serde_json::Error),
    /// Another version of this program wrote the file.
    #[error("the file has format {0} instead of {FORMAT}")]
    Format(u32),
    /// This version does not support the protocol revision.
    #[error("the file is of an unknown protocol revision")]
    Protocol,
    /// The configuration has changed since the file was written.
    #[error("the file is of another configuration")]
    OtherConfiguration,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct EntryFile<'a> {
    format: u32,
    url: String,
    #[serde(rename = "bound")]
    fingerprint: String,
    era: String,
    version: String,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    capabilities: Option<&'a RawValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    instructions: Option<String>,
    #[serde(borrow)]
    tools: Vec<&'a RawValue>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    prompts: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    resources: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    resource_templates: Option<Vec<&'a RawValue>>,
    #[serde(skip_serializing)]
    written: u64,
}

impl CacheEntry {
    /// Creates the entry of the upstream at this URL, whose configuration has this fingerprint.
    pub(crate) fn new(
        offers: &OffersSnapshot,
        url: String,
        fingerprint: String,
    ) -> Result<Self, serde_json::Error> {
        let profile = &*offers.profile;
        let capabilities = match &profile.capabilities {
            serde_json::Value::Null => None,
            capabilities => Some(serde_json::value::to_raw_value(capabilities)?),
        };
        let list = |kind: ItemKind| {
            let list = offers.items[kind as usize].as_ref();
            let raw = list.map(|list| list.iter().map(|item| raw_json(&item.definition)).collect());
            raw.transpose()
        };
        let tools = offers
            .tools
            .tools
            .iter()
            .map(|tool| raw_json(&tool.definition));
        let mut written = serde_json::to_vec(&EntryFile {
            format: FORMAT,
            url,
            fingerprint,
            era: profile.era.as_str().to_owned(),
            version: profile.version.to_owned(),
            capabilities: capabilities.as_deref(),
            instructions: profile.instructions.clone(),
            tools: tools.collect::<Result<_, _>>()?,
            prompts: list(ItemKind::Prompts)?,
            resources: list(ItemKind::Resources)?,
            resource_templates: list(ItemKind::ResourceTemplates)?,
            written: 0,
        })?;
        // The closing brace follows the time.
        written.pop();
        Ok(Self(written))
    }

    /// Returns the hash of the content.
    pub(crate) fn hash(&self) -> ContentHash {
        ContentHash::compute(&self.0)
    }

    /// Returns the bytes of the file, with the current time.
    pub(crate) fn into_file(self) -> Vec<u8> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let seconds = since.map_or(0, |since| since.as_secs());
        let mut file = self.0;
        file.extend_from_slice(format!("{WRITTEN}{seconds}}}").as_bytes());
        file
    }

    /// Returns `true` if a file has the same content, whenever it was written.
    pub(crate) fn has_same_content(&self, file: &[u8]) -> bool {
        let (content, when) = split_written(file);
        let is_when = |when: &[u8]| when.iter().all(u8::is_ascii_digit);
        content == self.0 && when.strip_suffix(b"}").is_some_and(is_when)
    }
}

impl LoadedEntry {
    /// Parses a file, which must be of the configuration with this fingerprint.
    pub(crate) fn read(file: &Bytes, fingerprint: &str) -> Result<Self, Unusable> {
        let read = EntryFile::read(file)?;
        if read.fingerprint != fingerprint {
            return Err(Unusable::OtherConfiguration);
        }
        let written_at = read.written;
        Ok(Self {
            offers: read.into_offers(file)?,
            hash: ContentHash::compute(split_written(file).0),
            written_at,
        })
    }
}

impl<'a> EntryFile<'a> {
    /// Parses a file of format [`FORMAT`].
    fn read(file: &'a [u8]) -> Result<Self, Unusable> {
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let other = |format: u32| (format != FORMAT).then_some(Unusable::Format(format));
        match serde_json::from_slice::<Self>(file) {
            Ok(read) => other(read.format).map_or(Ok(read), Err),
            Err(error) => {
                let head = serde_json::from_slice::<Head>(file).ok();
                let other = head.and_then(|head| other(head.format));
                Err(other.unwrap_or(Unusable::Damaged(error)))
            }
        }
    }

    /// Returns the offers, with the definitions as slices of `file`, from which `self` was parsed.
    fn into_offers(self, file: &Bytes) -> Result<OffersSnapshot, Unusable> {
        let (era, version) = parse_revision(&self.era, &self.version).ok_or(Unusable::Protocol)?;
        let capabilities = self.capabilities.map(|it| serde_json::from_str(it.get()));
        let profile = ServerProfile {
            era,
            version,
            capabilities: capabilities.transpose()?.unwrap_or_default(),
            instructions: self.instructions,
        };
        let slice = |raw: &RawValue| file.slice_ref(raw.get().as_bytes());
        let list = |list: Option<Vec<&RawValue>>, kind| {
            let item = |raw: &RawValue| Item::read(slice(raw), kind);
            list.map(|list| Arc::new(list.into_iter().filter_map(item).collect()))
        };
        let tools = self.tools.into_iter();
        let tools = tools.filter_map(|raw| Tool::read(slice(raw), era));
        Ok(OffersSnapshot {
            profile: Arc::new(profile),
            tools: Arc::new(ToolList {
                tools: tools.collect(),
            }),
            items: [
                list(self.prompts, ItemKind::Prompts),
                list(self.resources, ItemKind::Resources),
                list(self.resource_templates, ItemKind::ResourceTemplates),
            ],
        })
    }
}

/// Splits a file into its content and the text of the time of writing.
fn split_written(file: &[u8]) -> (&[u8], &[u8]) {
    let mark = WRITTEN.as_bytes();
    match file.windows(mark.len()).rposition(|it| it == mark) {
        Some(end) => (&file[..end], &file[end + mark.len()..]),
        None => (file, &[]),
    }
}

fn raw_json(definition: &[u8]) -> Result<&RawValue, serde_json::Error> {
    serde_json::from_slice(definition)
}

/// Returns the era and the revision, if the revision is one of that era.
fn parse_revision(era: &str, version: &str) -> Option<(Era, &'static str)> {
    let find = |all: &[&'static str]| all.iter().copied().find(|it| *it == version);
    match era {
        "modern" => Some((Era::Modern, find(&[MODERN])?)),
        "legacy" => Some((Era::Legacy, find(&LEGACY)?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
