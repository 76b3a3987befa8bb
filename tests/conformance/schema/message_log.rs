//! Records the messages to the client and to the servers under the labels of the table, and
//! validates them.
//!
//! Each request of a scenario has its label in its id, such as `tools/list#1`. So the label of the
//! response is known.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::schema::duplicate_members::NoDuplicates;
use crate::schema::revision::{Pair, Revision};
use crate::schema::schemas;
use crate::schema::table::{Row, Side, all, revision};

/// A message that the client or a server received.
pub(crate) struct Message {
    pub(crate) side: Side,
    pub(crate) label: String,
    text: String,
    value: Value,
}

impl Message {
    /// Parses a received message.
    pub(crate) fn new(side: Side, bytes: &[u8]) -> Self {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let value = serde_json::from_str(&text);
        let value: Value = value.unwrap_or_else(|error| panic!("{error} in {text}"));
        let label = label(&value);
        Self {
            side,
            label,
            text,
            value,
        }
    }

    /// The input requests inside a result. They are no messages, but have definitions.
    fn input_requests(&self) -> impl Iterator<Item = Self> {
        let input_requests = self.value["result"]["inputRequests"].as_object();
        input_requests
            .into_iter()
            .flatten()
            .map(|(_, request)| Self {
                side: self.side,
                label: format!("input request: {}", label(&with_id(request))),
                text: request.to_string(),
                value: request.clone(),
            })
    }
}

fn with_id(request: &Value) -> Value {
    let mut request = request.clone();
    request["id"] = json!("");
    request
}

fn label(message: &Value) -> String {
    let has = |pointer: &str| message.pointer(pointer).is_some();
    if let Some(method) = message["method"].as_str() {
        let retry = has("/params/inputResponses") || has("/params/requestState");
        return match has("/id") {
            true if retry => format!("{method} again"),
            true if has("/params/task") => format!("{method} as a task"),
            true if has("/params/cursor") => format!("{method} of a page"),
            true if message["params"]["mode"] == "url" => format!("{method} by url"),
            _ => method.to_owned(),
        };
    }
    if has("/error") {
        return format!("error {}", message["error"]["code"]);
    }
    let id = message["id"].as_str().unwrap_or_default();
    let method = id.split('#').next().unwrap_or_default();
    match message["result"]["resultType"] == "input_required" {
        true => format!("result of {method} that requires input"),
        false => format!("result of {method}"),
    }
}

/// The faults of a single message.
pub(crate) fn check(message: &Message, pair: Pair) -> Vec<String> {
    let revision = revision(message.side, &message.label, pair);
    let mut faults = Vec::new();
    if let Err(error) = serde_json::from_str::<NoDuplicates>(&message.text) {
        faults.push(error.to_string());
    }
    if !message.label.starts_with("input request: ") {
        faults.extend(envelope(message, revision));
    }
    let named =
        |row: &&Row| row.side == message.side && row.label == message.label && (row.when)(pair);
    let known: Vec<_> = all().filter(named).collect();
    if known.is_empty() {
        let side = message.side;
        faults.push(format!(
            "the table has no `{}` for the {side:?}",
            message.label
        ));
    }
    for row in known {
        match message.value.pointer(row.pointer()) {
            Some(_) if row.definition.is_empty() => {}
            Some(part) => faults.extend(schemas::faults(revision, row.definition, part)),
            None => faults.push(format!("nothing at `{}`", row.pointer())),
        }
    }
    faults
}

/// The faults of the JSON-RPC envelope. The schemas allow additional members; real clients do not.
fn envelope(message: &Message, revision: Revision) -> Vec<String> {
    let has = |key: &str| message.value.get(key).is_some();
    let since_2025_11 = revision >= Revision("2025-11-25");
    let (definition, members) = match (has("method"), has("id"), has("error")) {
        (true, true, _) => ("JSONRPCRequest", ["id", "method", "params"]),
        (true, false, _) => ("JSONRPCNotification", ["method", "params", ""]),
        (false, _, true) if since_2025_11 => ("JSONRPCErrorResponse", ["id", "error", ""]),
        (false, _, true) => ("JSONRPCError", ["id", "error", ""]),
        (false, _, false) if since_2025_11 => ("JSONRPCResultResponse", ["id", "result", ""]),
        (false, _, false) => ("JSONRPCResponse", ["id", "result", ""]),
    };
    let mut faults = schemas::faults(revision, definition, &message.value);
    for key in message.value.as_object().unwrap().keys() {
        if key != "jsonrpc" && !members.contains(&key.as_str()) {
            faults.push(format!("{definition}: `{key}` is no member of it"));
        }
    }
    faults
}

/// All messages to the client and the servers of a scenario.
#[derive(Default)]
pub(crate) struct MessageLog {
    messages: Vec<Message>,
}

impl MessageLog {
    /// Records messages and the input requests inside them.
    pub(crate) fn record<B: AsRef<[u8]>>(
        &mut self,
        side: Side,
        messages: impl IntoIterator<Item = B>,
    ) {
        for bytes in messages {
            let message = Message::new(side, bytes.as_ref());
            self.messages.extend(message.input_requests());
            self.messages.push(message);
        }
    }

    /// The faults of all messages, and the differences between messages and table.
    pub(crate) fn faults(&self, pair: Pair) -> Vec<String> {
        let mut faults = BTreeSet::new();
        let mut seen = BTreeSet::new();
        for message in &self.messages {
            seen.insert((message.side, message.label.as_str()));
            for fault in check(message, pair) {
                faults.insert(format!("{fault}, in {}", message.text));
            }
        }
        for row in all().filter(|row| (row.when)(pair)) {
            if !seen.contains(&(row.side, row.label)) {
                faults.insert(format!("no `{}` reached the {:?}", row.label, row.side));
            }
        }
        faults.into_iter().collect()
    }
}
