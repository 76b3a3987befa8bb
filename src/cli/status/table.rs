//! The report as a table: a row per upstream, and the problems below.

use std::fmt::Write as _;
use std::time::Duration;

use super::report::{Row, SignIn};
use crate::cli::output::{format_count, without_control_characters};
use crate::oauth::Timestamp;

const HEADER: [&str; 6] = ["NAME", "SIGN-IN", "SCOPES", "SERVER", "REMEMBERED", "URL"];

/// The space between two columns.
const COLUMN_GAP: &str = "  ";

/// Shown in place of an unknown value.
const NOT_KNOWN: &str = "-";

/// Returns the table, with the problems below.
pub(super) fn table(rows: &[Row], now: Timestamp) -> String {
    if rows.is_empty() {
        return "no upstreams\n".to_owned();
    }
    let header = HEADER.map(str::to_owned);
    let cells = rows
        .iter()
        .map(|row| cells(row, now).map(|cell| without_control_characters(&cell)));
    let lines: Vec<_> = std::iter::once(header).chain(cells).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
    let widths: [_; HEADER.len()] = std::array::from_fn(|column| width(column).unwrap_or_default());
    let mut table = String::new();
    for line in &lines {
        let padded = line
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        let padded: Vec<_> = padded.collect();
        table.push_str(padded.join(COLUMN_GAP).trim_end());
        table.push('\n');
    }
    let problems = rows
        .iter()
        .filter_map(|row| row.problem.as_ref().map(|it| (row, it)));
    for (at, (row, problem)) in problems.enumerate() {
        let before = if at == 0 { "\n" } else { "" };
        let problem = without_control_characters(problem);
        let _ = writeln!(table, "{before}{}: {problem}", row.name);
    }
    table
}

fn cells(row: &Row, now: Timestamp) -> [String; HEADER.len()] {
    let scopes = row.scopes.as_ref().filter(|scopes| !scopes.is_empty());
    [
        row.name.clone(),
        sign_in(row, now),
        scopes.map_or(NOT_KNOWN.to_owned(), |scopes| scopes.join(" ")),
        server(row).unwrap_or_else(|| NOT_KNOWN.to_owned()),
        remembered(row, now).unwrap_or_else(|| NOT_KNOWN.to_owned()),
        row.url.clone(),
    ]
}

fn server(row: &Row) -> Option<String> {
    let transport = match row.transport? {
        "sse" => "HTTP+SSE",
        _ => "Streamable HTTP",
    };
    let (version, era) = (row.version?, row.era?);
    let tools = format_count(row.tools?, "tool");
    Some(format!("{transport} {version} ({era}), {tools}"))
}

fn remembered(row: &Row, now: Timestamp) -> Option<String> {
    let tools = format_count(row.remembered_tools?, "tool");
    let written = Timestamp(row.remembered_at?);
    Some(format!(
        "{tools}, {} ago",
        format_duration(now.duration_since(written))
    ))
}

fn sign_in(row: &Row, now: Timestamp) -> String {
    let end = row.expires_at.map(Timestamp);
    match (row.sign_in, end) {
        (SignIn::Off, _) => "off".to_owned(),
        (SignIn::OwnHeader, _) => "by its own header".to_owned(),
        (SignIn::NotNeeded, _) => "not needed".to_owned(),
        (SignIn::Missing, _) => "not signed in".to_owned(),
        (SignIn::Unknown, _) => "nothing stored".to_owned(),
        (SignIn::Expired, Some(end)) => {
            format!("expired {} ago", format_duration(now.duration_since(end)))
        }
        (SignIn::Expired, None) => "expired".to_owned(),
        (SignIn::SignedIn, None) => "signed in".to_owned(),
        (SignIn::SignedIn, Some(end)) => match (row.renewable, end > now) {
            (Some(true), true) => {
                format!(
                    "signed in, renewed in {}",
                    format_duration(end.duration_since(now))
                )
            }
            (Some(true), false) => "signed in, renewed when used".to_owned(),
            (_, true) => format!(
                "signed in, ends in {}",
                format_duration(end.duration_since(now))
            ),
            (_, false) => "signed in".to_owned(),
        },
    }
}

/// Returns a duration in the largest unit of which it has at least two.
fn format_duration(time: Duration) -> String {
    let seconds = time.as_secs();
    let units = [(86_400, "d"), (3_600, "h"), (60, "min")];
    let unit = units.into_iter().find(|(size, _)| seconds >= 2 * size);
    let (size, unit) = unit.unwrap_or((1, "s"));
    format!("{} {unit}", seconds / size)
}

#[cfg(test)]
mod tests;
