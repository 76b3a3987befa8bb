//! Which upstream a URI that no listing has is read from: by the templates of the upstreams and by
//! their filters, which keep a URI from being read as they keep it from being listed. Pure.

use std::cmp::Reverse;

use super::items::Items;
use crate::config::Filter;
use crate::protocol::Item;

/// The upstreams that may have a resource, each by its place in what was merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UriRoute {
    /// The upstream that lists the URI, or whose template is the nearest to it.
    Owner(usize),
    /// No upstream names the URI: any of these may have it.
    Candidates(Vec<usize>),
}

/// How well a template matches a URI; the greater, the nearer.
///
/// An expression counts as any text: what it may stand for depends on its operator (RFC 6570
/// § 3.2), and servers differ in how they read that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct TemplateMatch {
    /// The URI is the template's own text.
    is_identical: bool,
    /// All of its text outside expressions is in the URI, in this order.
    matches_whole: bool,
    /// The length of its text before the first expression, with which the URI begins.
    prefix_length: usize,
    /// The length of all its text outside expressions.
    literal_length: usize,
}

impl TemplateMatch {
    /// `None` when the URI does not even begin as the template does.
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

/// Returns the upstreams that may have `uri`, which is not in the catalog. An upstream's filter judges it by
/// all it goes by there: its own text, and the text and the name of the template nearest to it. What the
/// upstream lists itself was judged already, and kept out.
///
/// `filters` are those of the upstreams for resources, in their order.
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
            // Of equal ones the first configured.
            UriMatch::Template(near) if nearest.is_some_and(|(other, _)| other >= near) => {}
            UriMatch::Template(near) => nearest = Some((near, upstream)),
        }
    }
    match nearest {
        Some((_, upstream)) => UriRoute::Owner(upstream),
        None => UriRoute::Candidates(candidates),
    }
}

/// What an upstream and its filter say of a URI.
enum UriMatch {
    /// The filter keeps the URI out.
    Excluded,
    /// The upstream does not name the URI.
    NoTemplate,
    /// The upstream has a template for the URI.
    Template(TemplateMatch),
}

/// The match of an upstream whose lists are not known: the URI may be one that its filter keeps out by a name.
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
    // Of equally near ones one that is kept out: the URI may be of that.
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

/// The literals before, between and after the expressions of a template, empty ones too.
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

/// Whether the URI is these literals with anything between them.
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
