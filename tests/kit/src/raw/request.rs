//! A received request, with the parts that tests read.

use bytes::{Buf, BytesMut};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::io::{AsyncRead, AsyncReadExt};

/// A complete HTTP request.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method on the request line.
    pub method: String,
    /// The path with its query, as on the request line.
    pub path: String,
    /// The headers in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body without its transfer encoding.
    pub body: Vec<u8>,
}

/// The members of a JSON-RPC message, as bytes.
#[derive(Default, Deserialize)]
struct Members<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Option<&'a RawValue>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
struct Params<'a> {
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
}

impl Request {
    /// Returns the value of the first header `name` (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers.find_map(|(key, value)| (key == name).then_some(value.as_str()))
    }

    /// Returns the body as a JSON value.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {}", self.text()))
    }

    /// Returns the JSON-RPC method, or an empty string.
    pub fn rpc_method(&self) -> String {
        let method = self.members().method;
        method.map_or_else(String::new, |raw| {
            serde_json::from_str(raw.get()).unwrap_or_default()
        })
    }

    /// Returns the bytes of the member `id`.
    pub fn id_bytes(&self) -> Option<Vec<u8>> {
        self.members().id.map(|raw| raw.get().into())
    }

    /// Returns the bytes of the member `params`.
    pub fn params_bytes(&self) -> Option<Vec<u8>> {
        self.members().params.map(|raw| raw.get().into())
    }

    /// Returns the bytes of `params.arguments`.
    pub fn argument_bytes(&self) -> Option<Vec<u8>> {
        self.params().arguments.map(|raw| raw.get().into())
    }

    /// Returns the string `params.name`, or an empty string.
    pub fn tool(&self) -> String {
        let name = self.params().name;
        name.map_or_else(String::new, |raw| {
            serde_json::from_str(raw.get()).unwrap_or_default()
        })
    }

    /// Returns `true` if this is the POST of the JSON-RPC `method`.
    pub fn is(&self, method: &str) -> bool {
        self.method == "POST" && self.rpc_method() == method
    }

    /// Returns the body as text, for messages.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn members(&self) -> Members<'_> {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    fn params(&self) -> Params<'_> {
        let params = self.members().params;
        params.map_or_else(Params::default, |raw| {
            serde_json::from_str(raw.get()).unwrap_or_default()
        })
    }
}

/// Reads the next request. Returns `None` if the client has closed or does not send HTTP/1.1.
pub(super) async fn read(
    io: &mut (impl AsyncRead + Unpin + ?Sized),
    buffer: &mut BytesMut,
) -> Option<Request> {
    let mut lines = Vec::new();
    loop {
        match line(io, buffer).await? {
            empty if empty.is_empty() => break,
            line => lines.push(line),
        }
    }
    let mut lines = lines.into_iter();
    let first = lines.next()?;
    let mut words = first.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let headers = lines
        .map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().to_owned()))
        })
        .collect::<Option<Vec<_>>>()?;
    let mut request = Request {
        method,
        path,
        headers,
        body: Vec::new(),
    };
    if let Some(length) = request.header("content-length") {
        request.body = exactly(io, buffer, length.parse().ok()?).await?;
    } else if request.header("transfer-encoding").is_some() {
        loop {
            let size = usize::from_str_radix(line(io, buffer).await?.trim(), 16).ok()?;
            request.body.extend(exactly(io, buffer, size).await?);
            line(io, buffer).await?;
            if size == 0 {
                break;
            }
        }
    }
    Some(request)
}

async fn line(io: &mut (impl AsyncRead + Unpin + ?Sized), buffer: &mut BytesMut) -> Option<String> {
    loop {
        if let Some(end) = memchr::memchr(b'\n', buffer) {
            let line = buffer.split_to(end + 1);
            return Some(String::from_utf8_lossy(&line).trim_end().to_owned());
        }
        more(io, buffer).await?;
    }
}

async fn exactly(
    io: &mut (impl AsyncRead + Unpin + ?Sized),
    buffer: &mut BytesMut,
    count: usize,
) -> Option<Vec<u8>> {
    while buffer.remaining() < count {
        more(io, buffer).await?;
    }
    Some(buffer.split_to(count).into())
}

async fn more(io: &mut (impl AsyncRead + Unpin + ?Sized), buffer: &mut BytesMut) -> Option<()> {
    match io.read_buf(buffer).await {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(()),
    }
}
