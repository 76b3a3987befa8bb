//! Who is to be asked for a URI that no listing offers: by the templates of the upstreams and by
//! their filters, which keep a URI from being read as they keep it from being listed. Pure.

use std::cmp::Reverse;

use super::items::Items;
use crate::config::Filter;
use crate::protocol::Item;

/// Who is to be asked for a URI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// The upstream that lists it, or whose template is the nearest to it, by its place in what
    /// was merged.
    Owner(usize),
    /// Nobody names it: any of these may have it.
    Unnamed(Vec<usize>),
}

/// How near a template is to a URI; the greater, the nearer.
///
/// An expression counts as any text: what it may stand for depends on its operator (RFC 6570
/// § 3.2), and servers differ in how they read that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Nearness {
    /// The URI is the template's own text.
    is_same: bool,
    /// All of its text outside expressions is in the URI, in this order.
    fits: bool,
    /// The length of its text before the first expression, with which the URI begins.
    head: usize,
    /// The length of all its text outside expressions.
    text: usize,
}

impl Nearness {
    /// `None` when the URI does not even begin as the template does.
    fn of(template: &str, uri: &str) -> Option<Self> {
        let texts = texts(template);
        let head = texts.first().filter(|head| uri.starts_with(**head))?;
        Some(Self {
            is_same: template == uri,
            fits: fits(&texts, uri),
            head: head.len(),
            text: texts.iter().map(|text| text.len()).sum(),
        })
    }
}

/// Who is to be asked for `uri`, which is not in the catalog. An upstream's filter judges it by all
/// it goes by there: its own text, and that and the name of the template nearest to it. What the
/// upstream lists itself was judged already, and kept out.
///
/// `filters` are those of the upstreams for resources, in their order.
#[must_use]
pub fn reach(uri: &str, filters: &[&Filter], resources: &Items, templates: &Items) -> Reach {
    let mut nearest: Option<(Nearness, usize)> = None;
    let mut unnamed = Vec::new();
    for (upstream, filter) in filters.iter().enumerate() {
        let known = resources.listed(upstream).zip(templates.listed(upstream));
        match known.map_or_else(|| unknown(filter), |known| standing(uri, filter, known)) {
            Standing::Kept => {}
            Standing::Unnamed => unnamed.push(upstream),
            // Of equal ones the first configured.
            Standing::Near(near) if nearest.is_some_and(|(other, _)| other >= near) => {}
            Standing::Near(near) => nearest = Some((near, upstream)),
        }
    }
    match nearest {
        Some((_, upstream)) => Reach::Owner(upstream),
        None => Reach::Unnamed(unnamed),
    }
}

/// What an upstream has to do with a URI.
enum Standing {
    /// It may not be asked for it.
    Kept,
    /// It does not name it.
    Unnamed,
    /// It has a template for it.
    Near(Nearness),
}

/// An upstream that did not tell what it has, which may be what its filter keeps out by a name.
fn unknown(filter: &Filter) -> Standing {
    match filter.allows_all() {
        true => Standing::Unnamed,
        false => Standing::Kept,
    }
}

fn standing(uri: &str, filter: &Filter, (listed, templates): (&[Item], &[Item])) -> Standing {
    if listed.iter().any(|item| *item.key == *uri) {
        return Standing::Kept;
    }
    let near = templates
        .iter()
        .filter_map(|item| Some((Nearness::of(&item.key, uri)?, item)));
    // Of equally near ones one that is kept out: the URI may be of that.
    let nearest = near.max_by_key(|(near, item)| {
        let passes = filter.allows_known_as(&item.names());
        (*near, Reverse(passes))
    });
    match nearest {
        Some((near, item)) => {
            let [text, name] = item.names();
            match filter.allows_known_as(&[uri, text, name]) {
                true => Standing::Near(near),
                false => Standing::Kept,
            }
        }
        None if filter.allows(uri) => Standing::Unnamed,
        None => Standing::Kept,
    }
}

/// The texts before, between and after the expressions of a template, empty ones too.
fn texts(template: &str) -> Vec<&str> {
    let mut texts = Vec::new();
    let mut rest = template;
    while let Some((text, expression)) = rest.split_once('{') {
        texts.push(text);
        rest = expression.split_once('}').map_or("", |(_, rest)| rest);
    }
    texts.push(rest);
    texts
}

/// Whether the URI is these texts with anything between them.
fn fits(texts: &[&str], uri: &str) -> bool {
    let [head, between @ .., tail] = texts else {
        return texts == [uri];
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
