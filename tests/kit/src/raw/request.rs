//! A request as it came, with the few places of it that tests ask about.

use bytes::{Buf, BytesMut};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::io::{AsyncRead, AsyncReadExt};

/// One HTTP request, complete.
#[derive(Clone, Debug)]
pub struct Request {
    /// As on the request line.
    pub method: String,
    /// With the query, as on the request line.
    pub path: String,
    /// In the order in which they came, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Free of its transfer encoding.
    pub body: Vec<u8>,
}

/// The members of a JSON-RPC message, as their bytes stand in it.
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
    /// The value of the first header called `name` (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers.find_map(|(key, value)| (key == name).then_some(value.as_str()))
    }

    /// The body as a JSON value, for those that survive becoming one.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {}", self.text()))
    }

    /// The JSON-RPC method, or an empty string.
    pub fn rpc_method(&self) -> String {
        let method = self.members().method;
        method.map_or_else(String::new, |raw| {
            serde_json::from_str(raw.get()).unwrap_or_default()
        })
    }

    /// The bytes of the member `id`.
    pub fn id_bytes(&self) -> Option<Vec<u8>> {
        self.members().id.map(|raw| raw.get().into())
    }

    /// The bytes of the member `params`.
    pub fn params_bytes(&self) -> Option<Vec<u8>> {
        self.members().params.map(|raw| raw.get().into())
    }

    /// The bytes of `params.arguments`.
    pub fn argument_bytes(&self) -> Option<Vec<u8>> {
        self.params().arguments.map(|raw| raw.get().into())
    }

    /// The string `params.name`, or an empty one.
    pub fn tool(&self) -> String {
        let name = self.params().name;
        name.map_or_else(String::new, |raw| {
            serde_json::from_str(raw.get()).unwrap_or_default()
        })
    }

    /// Whether this is the POST of the JSON-RPC `method`.
    pub fn is(&self, method: &str) -> bool {
        self.method == "POST" && self.rpc_method() == method
    }

    /// The body as text, for messages.
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

/// Reads the next request, or gives `None` when the client has closed or does not speak HTTP/1.1.
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
