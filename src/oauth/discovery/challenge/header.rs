//! The grammar of `WWW-Authenticate` (RFC 9110 § 11.6.1), read so that a text inside a quoted
//! string, or a parameter of another scheme, is never taken for one of ours.
//!
//! Beyond the grammar it takes what servers send all the same: values that need quotes and have
//! none, and parameters without a comma between them. A list that is broken elsewhere loses the
//! broken element alone.

/// The most challenges of a response and parameters of a challenge that are kept: many times what
/// anybody sends, and few enough to search one by one.
const MOST: usize = 64;

/// A challenge of any scheme.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Raw {
    /// In lower case: schemes are case-insensitive (RFC 9110 § 11.1).
    pub(super) scheme: String,
    /// What some schemes have instead of parameters.
    pub(super) token68: Option<String>,
    /// In order, names in lower case (RFC 9110 § 11.2), each name once.
    pub(super) parameters: Vec<(String, String)>,
}

impl Raw {
    /// The value of a parameter, its name in lower case.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let mut all = self.parameters.iter();
        all.find_map(|(key, value)| (key == name).then_some(value.as_str()))
    }

    /// A name "MUST only occur once" (RFC 9110 § 11.2). The first counts, so that what somebody
    /// gets appended changes nothing.
    fn add(&mut self, name: String, value: String) {
        if self.parameter(&name).is_none() && self.parameters.len() < MOST {
            self.parameters.push((name, value));
        }
    }
}

/// Reads the lines of the header. A list may go on from one line to the next (RFC 9110 § 5.3).
pub(super) fn parse<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Vec<Raw> {
    let mut challenges = Vec::new();
    for line in lines {
        Reader { rest: line }.line(&mut challenges);
    }
    challenges.truncate(MOST);
    challenges
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn line(&mut self, challenges: &mut Vec<Raw>) {
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
                let value = self.value();
                if let (Some(challenge), Some(value)) = (challenges.last_mut(), value) {
                    challenge.add(name, value);
                }
            } else if at_element {
                let token68 = self.token68();
                challenges.push(Raw {
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

    /// `token68`, which like a parameter may hold `=`, but ends with its element.
    fn token68(&mut self) -> Option<String> {
        let before = self.rest;
        self.take_while(is_space);
        let start = self.rest;
        let letters = self.take_while(is_token68).len();
        let length = letters + self.take_while(|byte| byte == b'=').len();
        self.take_while(is_space);
        if letters > 0 && matches!(self.rest, [] | [b',', ..]) {
            return Some(text(&start[..length]));
        }
        self.rest = before;
        None
    }

    /// The value of a parameter, or `None` if there is none.
    fn value(&mut self) -> Option<String> {
        if self.rest.first() == Some(&b'"') {
            return self.quoted();
        }
        let value = self.take_while(|byte| byte != b',' && !is_space(byte));
        (!value.is_empty()).then(|| text(value))
    }

    /// A quoted string (RFC 9110 § 5.6.4). One that does not end swallows the line and counts as
    /// nothing: where it should have ended, nobody knows.
    fn quoted(&mut self) -> Option<String> {
        let mut value = Vec::new();
        let mut bytes = self.rest.iter().enumerate().skip(1);
        while let Some((at, &byte)) = bytes.next() {
            match byte {
                b'"' => {
                    self.rest = &self.rest[at + 1..];
                    return Some(text(&value));
                }
                b'\\' => value.extend(bytes.next().map(|(_, &escaped)| escaped)),
                byte => value.push(byte),
            }
        }
        self.rest = &[];
        None
    }

    /// Goes to the next comma that is in no quoted string.
    fn skip_element(&mut self) {
        loop {
            self.take_while(|byte| byte != b',' && byte != b'"');
            if self.rest.first() != Some(&b'"') {
                return;
            }
            self.quoted();
        }
    }

    /// Takes an `=` and the white space around it, or nothing.
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

    fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.rest.iter().position(|&byte| !wanted(byte));
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

/// What `token68` consists of, before the `=` at its end (RFC 9110 § 11.2).
pub(super) fn is_token68(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn lower(bytes: &[u8]) -> String {
    text(bytes).to_ascii_lowercase()
}
