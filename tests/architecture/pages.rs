//! The pages that people read: Markdown files at the top, in `docs/` and in `.github/`.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

/// Words that people search for.
const SEARCHED: [&str; 10] = [
    "cache",
    "reconnect",
    "retry",
    "exponential backoff",
    "hot reload",
    "troubleshooting",
    "timeout",
    "proxy",
    "sign in",
    "debug",
];

/// One Markdown file.
pub(crate) struct Page {
    /// Below the root of the package, with `/` between its parts.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Page {
    /// The text without blocks of code.
    pub(crate) fn prose(&self) -> String {
        let mut is_code = false;
        let mut prose = String::new();
        for line in self.text.lines() {
            let is_fence = line.trim_start().starts_with("```");
            if !is_fence && !is_code {
                prose.push_str(line);
            }
            is_code ^= is_fence;
            prose.push('\n');
        }
        prose
    }

    /// The anchors of its headings, as GitHub makes them.
    pub(crate) fn anchors(&self) -> Vec<String> {
        let prose = self.prose();
        let headings = prose.lines().filter(|line| line.starts_with('#'));
        headings
            .map(|line| anchor(line.trim_start_matches('#').trim()))
            .collect()
    }
}

/// The anchor of a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Every page, by path.
pub(crate) fn pages() -> &'static [Page] {
    static PAGES: OnceLock<Vec<Page>> = OnceLock::new();
    PAGES.get_or_init(|| {
        let mut found = Vec::new();
        for folder in ["", "docs", "docs/decisions", ".github"] {
            read_folder(folder, &mut found);
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        found
    })
}

/// Adds the pages that stand in a folder itself.
fn read_folder(folder: &str, found: &mut Vec<Page>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Ok(entries) = fs::read_dir(root.join(folder)) else {
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "md") {
            let below = path.strip_prefix(root).unwrap().to_str().unwrap();
            found.push(Page {
                path: below.replace('\\', "/"),
                text: fs::read_to_string(&path).unwrap(),
            });
        }
    }
}

/// The targets of the links in a page.
fn links(prose: &str) -> Vec<&str> {
    let begun = prose.split("](").skip(1);
    begun
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target)
        .collect()
}

/// Why a link of this page leads nowhere; `None` if it resolves or leaves the project.
fn broken(page: &Page, link: &str) -> Option<String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (file, fragment) = link.split_once('#').unwrap_or((link, ""));
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let here = root.join(&page.path);
    let target = match file {
        "" => here,
        file => here.parent().unwrap().join(file),
    };
    let Ok(target) = target.canonicalize() else {
        return Some(format!("{}: no such file: {link}", page.path));
    };
    let root = root.canonicalize().unwrap();
    let linked = pages().iter().find(|page| root.join(&page.path) == target);
    let has = |page: &Page| page.anchors().iter().any(|anchor| anchor == fragment);
    if fragment.is_empty() || linked.is_some_and(has) {
        return None;
    }
    Some(format!("{}: no such heading: {link}", page.path))
}

#[test]
fn every_link_resolves() {
    let mut seen = 0;
    let mut found = Vec::new();
    for page in pages() {
        let prose = page.prose();
        for link in links(&prose) {
            seen += 1;
            found.extend(broken(page, link));
        }
    }
    assert!(seen > 50, "found only {seen} links");
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let page = Page {
        path: "docs/here.md".to_owned(),
        text: "# What `is` here?\n```\n# no heading\n```".to_owned(),
    };
    assert_eq!(page.anchors(), ["what-is-here"]);
    assert_eq!(broken(&page, "../README.md"), None);
    assert_eq!(broken(&page, "https://example.com/x"), None);
    assert!(broken(&page, "missing.md").is_some());
    assert!(broken(&page, "../README.md#no-such-heading").is_some());
    assert_eq!(links("a [b](c.md#d) e](f)"), ["c.md#d", "f"]);
}

#[test]
fn the_words_that_people_search_for_are_in_the_pages() {
    let text: String = pages()
        .iter()
        .map(|page| page.text.to_lowercase())
        .collect();
    for word in SEARCHED {
        assert!(text.contains(word), "no page has {word:?}");
    }
}
