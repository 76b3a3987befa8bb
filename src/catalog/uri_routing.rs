//! Routes a URI that no listing contains to an upstream, by resource templates and filters.
//!
//! A filter that hides a resource from listings also makes it unreadable. Pure.

use std::cmp::Reverse;

use super::items::Items;
use crate::config::Filter;
use crate::protocol::Item;

/// The upstreams that may serve a resource, by their index in the merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UriRoute {
    /// The upstream with the best matching template.
    Owner(usize),
    /// No template matches; each of these upstreams may serve the URI.
    Candidates(Vec<usize>),
}

/// How well a template matches a URI; the greater, the better.
///
/// An expression matches any text: its meaning depends on its operator (RFC 6570 § 3.2), and
/// servers read those differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct TemplateMatch {
    /// Whether the URI equals the template's text.
    is_identical: bool,
    /// Whether all literals of the template are in the URI, in order.
    matches_whole: bool,
    /// The length of the literal before the first expression. The URI begins with it.
    prefix_length: usize,
    /// The length of all literals.
    literal_length: usize,
}

impl TemplateMatch {
    /// Returns `None` if the URI does not begin with the template's first literal.
    fn new(template: &str, uri: &str) -> Option<Self> {
        let literals = literals(template);
        let head = literals.first().filter(|head| uri.starts_with(**head))?;
        Some(Self {
            is_identical: template == uri,
            matches_whole: matches_literals(&literals, uri),
            prefix_length: head.len(),
            literal_length: literals.iter().map(|text| text.len()).sum(),
        })
    }
}

/// Returns the upstreams that may serve `uri`, which is not in the catalog.
///
/// An upstream's filter is applied to the URI, and to the text and name of the best matching
/// template. A URI that the upstream lists itself is excluded: its filter has hidden it.
///
/// `filters` holds the resource filter of each upstream, in order.
#[must_use]
pub fn route_uri(uri: &str, filters: &[&Filter], resources: &Items, templates: &Items) -> UriRoute {
    let mut nearest: Option<(TemplateMatch, usize)> = None;
    let mut candidates = Vec::new();
    for (upstream, filter) in filters.iter().enumerate() {
        let known = resources.listed(upstream).zip(templates.listed(upstream));
        match known.map_or_else(
            || match_without_listing(filter),
            |known| match_listing(uri, filter, known),
        ) {
            UriMatch::Excluded => {}
            UriMatch::NoTemplate => candidates.push(upstream),
            // Among equal matches the first configured upstream wins.
            UriMatch::Template(near) if nearest.is_some_and(|(other, _)| other >= near) => {}
            UriMatch::Template(near) => nearest = Some((near, upstream)),
        }
    }
    match nearest {
        Some((_, upstream)) => UriRoute::Owner(upstream),
        None => UriRoute::Candidates(candidates),
    }
}

/// How an upstream's templates and filter match a URI.
enum UriMatch {
    /// The filter excludes the URI.
    Excluded,
    /// No template of the upstream matches.
    NoTemplate,
    /// A template of the upstream matches.
    Template(TemplateMatch),
}

/// Excludes the URI if the upstream has a filter: without a listing, the name that a filter checks is unknown.
fn match_without_listing(filter: &Filter) -> UriMatch {
    match filter.allows_all() {
        true => UriMatch::NoTemplate,
        false => UriMatch::Excluded,
    }
}

fn match_listing(uri: &str, filter: &Filter, (listed, templates): (&[Item], &[Item])) -> UriMatch {
    if listed.iter().any(|item| *item.key == *uri) {
        return UriMatch::Excluded;
    }
    let near = templates
        .iter()
        .filter_map(|item| Some((TemplateMatch::new(&item.key, uri)?, item)));
    // Among equal matches a filtered template wins: the URI may belong to it.
    let nearest = near.max_by_key(|(near, item)| {
        let passes = filter.allows_any_name(&item.names());
        (*near, Reverse(passes))
    });
    match nearest {
        Some((near, item)) => {
            let [text, name] = item.names();
            match filter.allows_any_name(&[uri, text, name]) {
                true => UriMatch::Template(near),
                false => UriMatch::Excluded,
            }
        }
        None if filter.allows(uri) => UriMatch::NoTemplate,
        None => UriMatch::Excluded,
    }
}

/// Returns the literals before, between and after the expressions of a template, including empty ones.
fn literals(template: &str) -> Vec<&str> {
    let mut literals = Vec::new();
    let mut rest = template;
    while let Some((text, expression)) = rest.split_once('{') {
        literals.push(text);
        rest = expression.split_once('}').map_or("", |(_, rest)| rest);
    }
    literals.push(rest);
    literals
}

/// Returns `true` if the URI consists of these literals with any text between them.
fn matches_literals(literals: &[&str], uri: &str) -> bool {
    let [head, between @ .., tail] = literals else {
        return literals == [uri];
    };
    let Some(mut rest) = uri.strip_prefix(head) else {
        return false;
    };
    for text in between {
        match rest.split_once(text) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(tail)
}

#[cfg(test)]
mod tests;
