//! A raw server behind TLS, with a certificate authority made for it alone.

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

/// A TLS server for `127.0.0.1` and `localhost`, and the authority that vouches for it.
pub struct Server {
    /// What was asked of the server.
    pub raw: raw::Server,
    authority: NamedTempFile,
}

/// Starts a TLS server; ALPN offers `http/1.1`, which is what it speaks.
pub fn server(handler: Handler) -> Server {
    server_at((Ipv4Addr::LOCALHOST, 0).into(), handler)
}

/// Starts a TLS server on `address`, with an authority of its own: somebody who stands where
/// another one stood that was stopped.
pub fn server_at(address: SocketAddr, handler: Handler) -> Server {
    let (acceptor, authority) = acceptor();
    Server {
        raw: raw::start(address, Some(acceptor), handler),
        authority,
    }
}

impl Server {
    /// The authority's certificate, PEM: the file for `SSL_CERT_FILE`.
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
    // The provider is named, as a process may have several compiled in.
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
