//! A raw server behind TLS, with its own certificate authority.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::NamedTempFile;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::Endpoint;
use super::raw::{self, Handler};

/// A TLS server for `127.0.0.1` and `localhost`, and its certificate authority.
pub struct Server {
    /// The server below TLS.
    pub raw: raw::Server,
    authority: NamedTempFile,
}

/// Starts a TLS server, with `http/1.1` in ALPN.
pub fn server(handler: Handler) -> Server {
    server_at((Ipv4Addr::LOCALHOST, 0).into(), handler)
}

/// Starts a TLS server on `address` with a new authority: another machine on the address of a stopped
/// server.
pub fn server_at(address: SocketAddr, handler: Handler) -> Server {
    let (acceptor, authority) = acceptor();
    Server {
        raw: raw::start(address, Some(acceptor), handler),
        authority,
    }
}

impl Server {
    /// Returns the path of the authority's certificate, PEM, for `SSL_CERT_FILE`.
    pub fn authority(&self) -> &Path {
        self.authority.path()
    }
}

impl Endpoint for Server {
    fn url(&self) -> String {
        self.raw.url()
    }
}

pub(super) fn acceptor() -> (TlsAcceptor, NamedTempFile) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(DnType::CommonName, "tests only");
    let key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);

    let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(names)
        .unwrap()
        .signed_by(&key, &issuer)
        .unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    // The provider is named, because a process may contain several.
    let mut config = ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];

    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), authority.pem()).unwrap();
    (TlsAcceptor::from(Arc::new(config)), file)
}
