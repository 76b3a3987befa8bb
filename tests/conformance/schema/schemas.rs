//! The official schemas, and validation by one of their definitions.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::schema::revision::{REVISIONS, Revision};

/// The schema of each revision, as published.
static SCHEMAS: LazyLock<HashMap<Revision, Value>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/schema");
    let read = |revision: Revision| {
        let path = folder.join(format!("{}.json", revision.0));
        let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        (revision, serde_json::from_slice(&text).unwrap())
    };
    REVISIONS.map(read).into()
});

type Built = HashMap<(Revision, String), Arc<Validator>>;

/// Building a validator costs milliseconds; many messages use it.
static VALIDATORS: LazyLock<Mutex<Built>> = LazyLock::new(Mutex::default);

/// The faults of `value` by this definition; empty if it is valid.
pub(crate) fn faults(revision: Revision, definition: &str, value: &Value) -> Vec<String> {
    let validator = validator(revision, definition);
    let faults = validator.iter_errors(value);
    let notification =
        faults.map(|fault| format!("{definition}: {fault} (at `{}`)", fault.instance_path()));
    notification.collect()
}

fn validator(revision: Revision, definition: &str) -> Arc<Validator> {
    let mut built = VALIDATORS.lock().unwrap_or_else(PoisonError::into_inner);
    let key = (revision, definition.to_owned());
    let build = || Arc::new(build(revision, definition));
    built.entry(key).or_insert_with(build).clone()
}

fn build(revision: Revision, definition: &str) -> Validator {
    let mut schema = SCHEMAS[&revision].clone();
    let place = ["$defs", "definitions"]
        .into_iter()
        .find(|key| schema[key].is_object());
    let place = place.unwrap_or_else(|| panic!("no definitions in {revision:?}"));
    assert!(
        schema[place][definition].is_object(),
        "{revision:?} has no `{definition}`"
    );
    // Draft 7 ignores members next to a bare `$ref`.
    schema["allOf"] = json!([{"$ref": format!("#/{place}/{definition}")}]);
    jsonschema::validator_for(&schema).unwrap()
}
