//! Merges the instructions of all upstreams into one text. Pure.

/// The longest merged text, in bytes: clients cut at 2 KB.
const BUDGET: usize = 2000;

/// Merges the upstreams' instructions: their names first, then the beginning of each text.
/// The text of a single upstream is unchanged.
#[must_use]
pub fn merge(upstreams: &[(&str, Option<&str>)]) -> Option<String> {
    if let [(_, only)] = upstreams {
        return only.map(str::to_owned);
    }
    if upstreams.is_empty() {
        return None;
    }
    let names: Vec<_> = upstreams.iter().map(|(name, _)| *name).collect();
    let mut text = cut(
        &format!("Tools of several MCP servers: {}.", names.join(", ")),
        BUDGET / 2,
    );
    let with_text: Vec<_> = upstreams
        .iter()
        .filter_map(|(name, text)| Some((*name, (*text)?)))
        .collect();
    for (index, (name, instructions)) in with_text.iter().enumerate() {
        let share = BUDGET.saturating_sub(text.len()) / (with_text.len() - index);
        let part = cut(&format!("\n\n{name}: {}", instructions.trim()), share);
        // A cut text of less than a few words helps no model.
        if part.len() > name.len() + 20 || instructions.len() < 20 {
            text.push_str(&part);
        }
    }
    Some(text)
}

/// Cuts the text to at most `limit` bytes, with an ellipsis in place of the rest.
fn cut(text: &str, limit: usize) -> String {
    const ELLIPSIS: &str = "…";
    if text.len() <= limit {
        return text.to_owned();
    }
    let kept_length = limit.saturating_sub(ELLIPSIS.len());
    let end = text
        .char_indices()
        .map(|(at, _)| at)
        .take_while(|at| *at <= kept_length)
        .last()
        .unwrap_or(0);
    format!("{}{ELLIPSIS}", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_upstreams_text_is_unchanged() {
        assert_eq!(
            merge(&[("a", Some("Be kind."))]).as_deref(),
            Some("Be kind.")
        );
        assert_eq!(merge(&[("a", None)]), None);
        assert_eq!(merge(&[]), None);
    }

    #[test]
    fn several_texts_share_the_budget() {
        let text = merge(&[("a", Some("Use x.")), ("b", None), ("c", Some(" Use y. "))]).unwrap();
        assert_eq!(
            text,
            "Tools of several MCP servers: a, b, c.\n\na: Use x.\n\nc: Use y."
        );
        let long = "é".repeat(5000);
        let text = merge(&[
            ("a", Some(&long)),
            ("b", Some("short but not too short")),
            ("c", Some(&long)),
        ])
        .unwrap();
        assert!(text.len() <= BUDGET, "{}", text.len());
        assert!(text.len() > BUDGET - 20, "{}", text.len());
        assert!(text.contains("b: short but not too short"));
        assert!(text.ends_with('…'));
    }

    #[test]
    fn many_upstreams_stay_within_the_budget() {
        let names: Vec<String> = (0..500).map(|n| format!("upstream-{n}")).collect();
        let all: Vec<_> = names
            .iter()
            .map(|name| (name.as_str(), Some("A long enough text to be cut.")))
            .collect();
        assert!(merge(&all).unwrap().len() <= BUDGET);
    }
}
