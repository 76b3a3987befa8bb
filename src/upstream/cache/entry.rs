//! One upstream's file: what is in it, and how it is written and read.
//!
//! A JSON object with these members, `written` last, so that two entries that differ in it alone begin
//! with the same bytes:
//!
//! | member | what |
//! |---|---|
//! | `format` | [`FORMAT`] |
//! | `url` | the upstream's, without its query; for a person to read |
//! | `bound` | the digest of the configuration (see [`fingerprint`](super::fingerprint)) |
//! | `era`, `version` | the era and the revision of the server |
//! | `capabilities`, `instructions` | what the server declared, if it did |
//! | `tools` | their definitions, as written |
//! | `prompts`, `resources`, `resourceTemplates` | the same; missing where they were never read |
//! | `written` | when, in seconds since 1970 |

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

/// The version of the format. Files of another one are not read.
const FORMAT: u32 = 1;

/// The last member.
const WRITTEN: &str = ",\"written\":";

/// The hash of an entry without its time: the same for entries that say the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ContentHash([u8; 32]);

impl ContentHash {
    fn compute(content: &[u8]) -> Self {
        Self(Sha256::digest(content).into())
    }
}

/// The content of one upstream's file, without the time at which it is written.
#[derive(Debug)]
pub(crate) struct CacheEntry(Vec<u8>);

/// An entry as it was found on disk.
#[derive(Debug)]
pub(crate) struct LoadedEntry {
    pub(crate) offers: OffersSnapshot,
    pub(crate) hash: ContentHash,
    /// When it was written, in seconds since 1970.
    pub(crate) written_at: u64,
}

/// Why a file is not used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    /// It was cut off, or is not ours.
    #[error("it is damaged: {0}")]
    Damaged(#[from] serde_json::Error),
    /// Another version of this program wrote it.
    #[error("it has the format {0} instead of {FORMAT}")]
    Format(u32),
    /// Its protocol is not known here.
    #[error("it is of a protocol that is unknown here")]
    Protocol,
    /// The configuration has changed since.
    #[error("it is of another configuration")]
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
    /// Writes what is known of the upstream at this url, whose configuration has this fingerprint.
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
        // The brace comes after the time.
        written.pop();
        Ok(Self(written))
    }

    /// Returns the hash of what it says.
    pub(crate) fn hash(&self) -> ContentHash {
        ContentHash::compute(&self.0)
    }

    /// Returns the file that it makes when it is written now.
    pub(crate) fn into_file(self) -> Vec<u8> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let seconds = since.map_or(0, |since| since.as_secs());
        let mut file = self.0;
        file.extend_from_slice(format!("{WRITTEN}{seconds}}}").as_bytes());
        file
    }

    /// Returns `true` if a file says the same, whenever it was written.
    pub(crate) fn has_same_content(&self, file: &[u8]) -> bool {
        let (content, when) = split_written(file);
        let is_when = |when: &[u8]| when.iter().all(u8::is_ascii_digit);
        content == self.0 && when.strip_suffix(b"}").is_some_and(is_when)
    }
}

impl LoadedEntry {
    /// Reads a file that has to be of the configuration with this fingerprint.
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
    /// Reads a file of this format.
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

    /// Returns what this says, with the definitions as slices of `file`, from which it was read.
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

/// Returns the content of a file and the time at which it was written, both as they stand there.
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

/// Returns the era and the revision, if they go together.
fn parse_revision(era: &str, version: &str) -> Option<(Era, &'static str)> {
    let known = |all: &[&'static str]| all.iter().copied().find(|known| *known == version);
    match era {
        "modern" => Some((Era::Modern, known(&[MODERN])?)),
        "legacy" => Some((Era::Legacy, known(&LEGACY)?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
