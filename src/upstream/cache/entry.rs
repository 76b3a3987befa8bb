//! One upstream's file: what is in it, and how it is written and read.
//!
//! A JSON object with these members, `written` last, so that two records that differ in it alone begin
//! with the same bytes:
//!
//! | member | what |
//! |---|---|
//! | `format` | [`FORMAT`] |
//! | `url` | the upstream's, without its query; for a person who looks |
//! | `bound` | the digest of the configuration (see [`fingerprint`](super::fingerprint)) |
//! | `era`, `version` | how the server wants to be spoken to |
//! | `capabilities`, `instructions` | what it says of itself, if it does |
//! | `tools` | their definitions, as written |
//! | `prompts`, `resources`, `resourceTemplates` | the same; missing where they were never read |
//! | `written` | when, in seconds since 1970 |

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::protocol::Era;
use crate::protocol::ServerProfile;
use crate::protocol::Tool;
use crate::protocol::revision::{LEGACY, MODERN};
use crate::protocol::{Item, ItemKind};
use crate::upstream::offers::List;
use crate::upstream::offers::tools::Listing;

/// The version of the format. Files of another one are not read.
const FORMAT: u32 = 1;

/// The last member.
const WRITTEN: &str = ",\"written\":";

/// What is remembered of one upstream.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) known: Arc<ServerProfile>,
    pub(crate) listing: Arc<Listing>,
    /// By [`ItemKind`]; `None` where it was never read.
    pub(crate) items: [Option<List>; 3],
}

/// A record as it was found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) record: Record,
    /// Of what was found.
    pub(crate) gist: Gist,
    /// When it was written, in seconds since 1970.
    pub(crate) written: u64,
}

/// Tells what records say apart, whenever they were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gist([u8; 32]);

impl Gist {
    /// Of what [`Record::write`] wrote.
    pub(crate) fn of(written: &[u8]) -> Self {
        Self(Sha256::digest(written).into())
    }

    /// Of a whole file.
    fn of_file(file: &[u8]) -> Self {
        Self::of(parts(file).0)
    }
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
    Other,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct File<'a> {
    format: u32,
    url: String,
    bound: String,
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

impl Record {
    /// Everything but when it was written: what is the same for records that say the same.
    pub(crate) fn write(&self, url: String, bound: String) -> Result<Vec<u8>, serde_json::Error> {
        let known = &*self.known;
        let capabilities = match &known.capabilities {
            serde_json::Value::Null => None,
            capabilities => Some(serde_json::value::to_raw_value(capabilities)?),
        };
        let list = |kind: ItemKind| {
            let list = self.items[kind as usize].as_ref();
            let raw = list.map(|list| list.iter().map(|item| raw(&item.definition)).collect());
            raw.transpose()
        };
        let tools = self.listing.tools.iter().map(|tool| raw(&tool.definition));
        let mut written = serde_json::to_vec(&File {
            format: FORMAT,
            url,
            bound,
            era: known.era.as_str().to_owned(),
            version: known.version.to_owned(),
            capabilities: capabilities.as_deref(),
            instructions: known.instructions.clone(),
            tools: tools.collect::<Result<_, _>>()?,
            prompts: list(ItemKind::Prompts)?,
            resources: list(ItemKind::Resources)?,
            resource_templates: list(ItemKind::ResourceTemplates)?,
            written: 0,
        })?;
        written.pop();
        Ok(written)
    }

    /// Adds when it is written, which is now.
    pub(crate) fn finish(mut written: Vec<u8>) -> Vec<u8> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let seconds = since.map_or(0, |since| since.as_secs());
        written.extend_from_slice(format!("{WRITTEN}{seconds}}}").as_bytes());
        written
    }

    /// Whether a file says what [`Record::write`] wrote, whenever it was written.
    pub(crate) fn is_same(written: &[u8], file: &[u8]) -> bool {
        let (said, when) = parts(file);
        let is_when = |when: &[u8]| when.iter().all(u8::is_ascii_digit);
        said == written && when.strip_suffix(b"}").is_some_and(is_when)
    }

    /// Reads a file that has to be of the configuration with this digest.
    pub(crate) fn read(file: &Bytes, bound: &str) -> Result<Found, Unusable> {
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let read = serde_json::from_slice::<File<'_>>(file);
        let other = |head: &Head| head.format != FORMAT;
        let read = read.map_err(|error| {
            let head = serde_json::from_slice::<Head>(file).ok();
            let head = head.filter(other);
            head.map_or(Unusable::Damaged(error), |head| {
                Unusable::Format(head.format)
            })
        })?;
        if read.format != FORMAT {
            return Err(Unusable::Format(read.format));
        }
        if read.bound != bound {
            return Err(Unusable::Other);
        }
        let (era, version) = protocol(&read.era, &read.version).ok_or(Unusable::Protocol)?;
        let capabilities = read.capabilities.map(|it| serde_json::from_str(it.get()));
        let profile = ServerProfile {
            era,
            version,
            capabilities: capabilities.transpose()?.unwrap_or_default(),
            instructions: read.instructions,
        };
        let slice = |raw: &RawValue| file.slice_ref(raw.get().as_bytes());
        let list = |list: Option<Vec<&RawValue>>, kind| {
            let item = |raw: &RawValue| Item::read(slice(raw), kind);
            list.map(|list| Arc::new(list.into_iter().filter_map(item).collect()))
        };
        let tools = read.tools.into_iter();
        let record = Self {
            known: Arc::new(profile),
            listing: Arc::new(Listing {
                tools: tools
                    .filter_map(|raw| Tool::read(slice(raw), era))
                    .collect(),
            }),
            items: [
                list(read.prompts, ItemKind::Prompts),
                list(read.resources, ItemKind::Resources),
                list(read.resource_templates, ItemKind::ResourceTemplates),
            ],
        };
        Ok(Found {
            record,
            gist: Gist::of_file(file),
            written: read.written,
        })
    }
}

/// What a file says, and when it was written, as it stands there.
fn parts(file: &[u8]) -> (&[u8], &[u8]) {
    let mark = WRITTEN.as_bytes();
    match file.windows(mark.len()).rposition(|it| it == mark) {
        Some(end) => (&file[..end], &file[end + mark.len()..]),
        None => (file, &[]),
    }
}

fn raw(definition: &[u8]) -> Result<&RawValue, serde_json::Error> {
    serde_json::from_slice(definition)
}

/// The era and the revision, if they go together.
fn protocol(era: &str, version: &str) -> Option<(Era, &'static str)> {
    let known = |all: &[&'static str]| all.iter().copied().find(|known| *known == version);
    match era {
        "modern" => Some((Era::Modern, known(&[MODERN])?)),
        "legacy" => Some((Era::Legacy, known(&LEGACY)?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
