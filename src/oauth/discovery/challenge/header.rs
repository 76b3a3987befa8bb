//! Parses `WWW-Authenticate` (RFC 9110 § 11.6.1). Never mistakes text in a quoted string, or a
//! parameter of another scheme, for a parameter of ours.
//!
//! Accepts two common deviations: unquoted values that need quotes, and parameters without a comma
//! in between. Other errors cost only the malformed list element.

/// The most challenges per response and parameters per challenge. Far more than servers send, and
/// few enough for a linear search.
const MAX_ITEMS: usize = 64;

/// A challenge of any scheme.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct RawChallenge {
    /// The scheme in lower case: schemes are case-insensitive (RFC 9110 § 11.1).
    pub(super) scheme: String,
    /// The credentials that some schemes have instead of parameters.
    pub(super) token68: Option<String>,
    /// The parameters in order, with unique names in lower case (RFC 9110 § 11.2).
    pub(super) parameters: Vec<(String, String)>,
}

impl RawChallenge {
    /// Returns the value of a parameter; `name` is in lower case.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let mut all = self.parameters.iter();
        all.find_map(|(key, value)| (key == name).then_some(value.as_str()))
    }

    /// Adds a parameter. A name "MUST only occur once" (RFC 9110 § 11.2): the first wins, so that
    /// an appended one changes nothing.
    fn add(&mut self, name: String, value: String) {
        if self.parameter(&name).is_none() && self.parameters.len() < MAX_ITEMS {
            self.parameters.push((name, value));
        }
    }
}

/// Parses the lines of the header. A list may continue on the next line (RFC 9110 § 5.3).
pub(super) fn parse<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Vec<RawChallenge> {
    let mut challenges = Vec::new();
    for line in lines {
        HeaderReader { rest: line }.read_line(&mut challenges);
    }
    challenges.truncate(MAX_ITEMS);
    challenges
}

struct HeaderReader<'a> {
    rest: &'a [u8],
}

impl<'a> HeaderReader<'a> {
    fn read_line(&mut self, challenges: &mut Vec<RawChallenge>) {
        let mut at_element = true;
        loop {
            self.take_while(is_space);
            if self.eat(b',') {
                at_element = true;
                continue;
            }
            if self.rest.is_empty() {
                return;
            }
            let name = lower(self.take_while(is_token));
            if name.is_empty() {
                self.skip_element();
            } else if self.eat_equals() {
                let value = self.read_value();
                if let (Some(challenge), Some(value)) = (challenges.last_mut(), value) {
                    challenge.add(name, value);
                }
            } else if at_element {
                let token68 = self.read_token68();
                challenges.push(RawChallenge {
                    scheme: name,
                    token68,
                    parameters: Vec::new(),
                });
            } else {
                self.skip_element();
            }
            at_element = false;
        }
    }

    /// Reads a `token68`. It may contain `=` like a parameter, but ends with its element.
    fn read_token68(&mut self) -> Option<String> {
        let before = self.rest;
        self.take_while(is_space);
        let start = self.rest;
        let letters = self.take_while(is_token68).len();
        let length = letters + self.take_while(|byte| byte == b'=').len();
        self.take_while(is_space);
        if letters > 0 && matches!(self.rest, [] | [b',', ..]) {
            return Some(lossy_text(&start[..length]));
        }
        self.rest = before;
        None
    }

    /// Reads the value of a parameter; `None` if it has no value.
    fn read_value(&mut self) -> Option<String> {
        if self.rest.first() == Some(&b'"') {
            return self.read_quoted();
        }
        let value = self.take_while(|byte| byte != b',' && !is_space(byte));
        (!value.is_empty()).then(|| lossy_text(value))
    }

    /// Reads a quoted string (RFC 9110 § 5.6.4). An unterminated one consumes the line and counts
    /// as absent: its end is unknown.
    fn read_quoted(&mut self) -> Option<String> {
        let mut value = Vec::new();
        let mut bytes = self.rest.iter().enumerate().skip(1);
        while let Some((at, &byte)) = bytes.next() {
            match byte {
                b'"' => {
                    self.rest = &self.rest[at + 1..];
                    return Some(lossy_text(&value));
                }
                b'\\' => value.extend(bytes.next().map(|(_, &escaped)| escaped)),
                byte => value.push(byte),
            }
        }
        self.rest = &[];
        None
    }

    /// Skips to the next comma outside a quoted string.
    fn skip_element(&mut self) {
        loop {
            self.take_while(|byte| byte != b',' && byte != b'"');
            if self.rest.first() != Some(&b'"') {
                return;
            }
            self.read_quoted();
        }
    }

    /// Skips `=` and the white space around it. Returns `false` if there is no `=`.
    fn eat_equals(&mut self) -> bool {
        let before = self.rest;
        self.take_while(is_space);
        let found = self.eat(b'=');
        if found {
            self.take_while(is_space);
        } else {
            self.rest = before;
        }
        found
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.rest.first() == Some(&byte);
        self.rest = &self.rest[usize::from(found)..];
        found
    }

    fn take_while(&mut self, accepts: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.rest.iter().position(|&byte| !accepts(byte));
        let (taken, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        taken
    }
}

/// White space within a line (RFC 9110 § 5.6.3).
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// `tchar` (RFC 9110 § 5.6.2).
pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// The characters of a `token68` before its final `=` (RFC 9110 § 11.2).
pub(super) fn is_token68(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte)
}

fn lossy_text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn lower(bytes: &[u8]) -> String {
    lossy_text(bytes).to_ascii_lowercase()
}
