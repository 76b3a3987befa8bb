//! The public names of the tools of all upstreams.
//!
//! Names depend on the configuration and the listings alone. The same input gives the same names,
//! in every run and version. No name is assigned twice. No upstream takes a name from a tool of an
//! upstream that precedes it in the configuration.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::config::Prefix;

/// The separator between the names of an upstream and a tool.
const SEPARATOR: &str = "__";

/// The length of `_` and the eight hexadecimal digits that end a mapped name.
const SUFFIX_LENGTH: usize = 9;

/// The number of hashes to try before a tool is omitted.
///
/// With 32 bits and 10,000 tools, the first hash collides in one case of 400,000.
const ATTEMPTS: u8 = 4;

/// The tools of one upstream that need a name, in listing order.
#[derive(Debug, Clone)]
pub struct NamingInput<'a> {
    /// The upstream's name in the configuration.
    pub upstream: &'a str,
    /// When its tools get a prefix.
    pub prefix: &'a Prefix,
    /// The native names of its tools.
    pub tools: Vec<&'a str>,
}

/// Names every tool of `inputs`, which are in configuration order.
///
/// The result has the shape of the input; `None` is a tool that is omitted:
///
/// - the second tool of one name within an upstream,
/// - a collision under [`Prefix::Never`],
/// - a tool for which no free name was found.
///
/// A name has 1 to `limit` of the characters `A-Z a-z 0-9 _ -`. In this order:
///
/// 1. A tool keeps its native name, prefixed under [`Prefix::Always`], if that is valid and no
///    earlier tool has it.
/// 2. An invalid name is mapped: each invalid character becomes `_`, and the hash of the whole
///    name is appended.
/// 3. A name that is taken becomes `<upstream>__<tool>`, mapped if necessary, and with a hash
///    appended if that is taken too.
///
/// Step 1 is done for all tools before the other steps. So a generated name never replaces a native
/// one.
pub fn public_names<'a>(
    inputs: &[NamingInput<'a>],
    limit: usize,
) -> Vec<Vec<Option<Cow<'a, str>>>> {
    let count = inputs.iter().map(|input| input.tools.len()).sum();
    let mut names = Names {
        limit,
        used: HashSet::with_capacity(count),
    };
    let mut unnamed = Vec::new();
    let mut public = Vec::with_capacity(inputs.len());
    for (row, input) in inputs.iter().enumerate() {
        let mut seen = HashSet::with_capacity(input.tools.len());
        let named = input.tools.iter().enumerate().map(|(column, tool)| {
            if !seen.insert(*tool) {
                return None;
            }
            let name = names.assign(input.preferred_name(tool));
            if name.is_none() {
                unnamed.push((row, column));
            }
            name
        });
        public.push(named.collect::<Vec<_>>());
    }
    for (row, column) in unnamed {
        let input = &inputs[row];
        public[row][column] = names.assign_alternative(input, input.tools[column]);
    }
    public
}

impl<'a> NamingInput<'a> {
    /// Returns the name that a tool gets if it is valid and free.
    fn preferred_name(&self, tool: &'a str) -> Cow<'a, str> {
        match self.prefix {
            Prefix::Always(prefix) => format!("{prefix}{tool}").into(),
            Prefix::OnCollision | Prefix::Never => tool.into(),
        }
    }
}

/// The names assigned so far.
struct Names<'a> {
    limit: usize,
    used: HashSet<Cow<'a, str>>,
}

impl<'a> Names<'a> {
    /// Assigns `name` if it is valid and free.
    fn assign(&mut self, name: Cow<'a, str>) -> Option<Cow<'a, str>> {
        let is_valid = (1..=self.limit).contains(&name.len()) && name.bytes().all(is_allowed);
        (is_valid && self.used.insert(name.clone())).then_some(name)
    }

    /// Assigns a mapped or prefixed name to a tool whose preferred name is invalid or taken.
    fn assign_alternative(
        &mut self,
        input: &NamingInput<'a>,
        tool: &'a str,
    ) -> Option<Cow<'a, str>> {
        let own = input.preferred_name(tool);
        let own_is_taken = self.used.contains(&own);
        if !own_is_taken && let Some(name) = self.assign_mapped(&own, 0) {
            return Some(name);
        }
        let full = match input.prefix {
            Prefix::Never => return None,
            Prefix::Always(_) => own,
            Prefix::OnCollision => prefixed(input.upstream, tool).into(),
        };
        self.assign(full.clone())
            .or_else(|| (0..ATTEMPTS).find_map(|attempt| self.assign_mapped(&full, attempt)))
    }

    fn assign_mapped(&mut self, name: &str, attempt: u8) -> Option<Cow<'a, str>> {
        let kept_length = self.limit.checked_sub(SUFFIX_LENGTH)?;
        let mut mapped: String = name.chars().map(sanitized).take(kept_length).collect();
        let hash = fold(fnv1a(name.bytes().chain((attempt > 0).then_some(attempt))));
        mapped.push_str(&format!("_{hash:08x}"));
        self.assign(mapped.into())
    }
}

/// Returns `<prefix>__<tool>`, with invalid characters of the prefix replaced.
fn prefixed(prefix: &str, tool: &str) -> String {
    let mut name = String::with_capacity(prefix.len() + SEPARATOR.len() + tool.len());
    name.extend(prefix.chars().map(sanitized));
    name.push_str(SEPARATOR);
    name.push_str(tool);
    name
}

/// Returns `true` if every client accepts this character in a tool's name.
fn is_allowed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

fn sanitized(character: char) -> char {
    match u8::try_from(character) {
        Ok(byte) if is_allowed(byte) => character,
        _ => '_',
    }
}

/// FNV-1a, 64 bits. Written out, because no library promises a stable hash.
fn fnv1a(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Folds 64 bits to 32, as FNV's authors recommend.
fn fold(hash: u64) -> u64 {
    (hash >> 32) ^ (hash & 0xffff_ffff)
}

#[cfg(test)]
mod tests;
