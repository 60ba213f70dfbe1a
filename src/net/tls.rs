//! TLS towards other servers: one configuration that takes any certificate and one that verifies.
//!
//! *Any certificate* is for mail to MX hosts, where nobody has promised a name and the other choice is clear text
//! (opportunistic security, RFC 7435): it keeps listeners out and says nothing of who answers. *Verified* asks the
//! operating system's trusted roots, and is for a smarthost whose URL wants it.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use rustls_platform_verifier::BuilderVerifierExt as _;

use super::smarthost::HostName;

/// The configurations, built once: building the verified one reads all roots of the system.
#[derive(Debug, Clone)]
pub struct Connectors {
    any: Arc<ClientConfig>,
    verified: Option<Arc<ClientConfig>>,
}

impl Connectors {
    /// Takes any certificate; where verification is asked for nothing connects.
    ///
    /// # Errors
    /// When the provider knows none of our protocol versions.
    pub fn opportunistic() -> Result<Self, Error> {
        Ok(Self { any: Arc::new(any_certificate()?), verified: None })
    }

    /// Also verifies, with the roots that the operating system trusts.
    ///
    /// # Errors
    /// When the system has no trusted roots (on Debian: the package `ca-certificates`).
    pub fn with_system_roots() -> Result<Self, Error> {
        let builder =
            ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
        let verified = builder.with_platform_verifier()?.with_no_client_auth();
        Ok(Self::opportunistic()?.verified_by(verified))
    }

    /// Verifies as `config` does.
    #[must_use]
    pub fn verified_by(self, config: ClientConfig) -> Self {
        Self { verified: Some(Arc::new(config)), ..self }
    }

    pub(super) fn any(&self) -> &Arc<ClientConfig> {
        &self.any
    }

    pub(super) fn verified(&self) -> Option<&Arc<ClientConfig>> {
        self.verified.as_ref()
    }
}

/// The one provider of the whole program.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// The name that the certificate is asked for: the host's, or its address where the name is none for TLS.
pub(super) fn server_name(host: &HostName, ip: IpAddr) -> ServerName<'static> {
    match host {
        HostName::Name(name) => ServerName::try_from(name.as_str().to_owned()).unwrap_or_else(|_| ip.into()),
        HostName::Ip(ip) => (*ip).into(),
    }
}

fn any_certificate() -> Result<ClientConfig, Error> {
    let provider = provider();
    let schemes = provider.signature_verification_algorithms.supported_schemes();
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate { schemes }));
    Ok(builder.with_no_client_auth())
}

/// Asks nothing of a certificate, not even that its key made the signature: who may be anybody gains nothing by a
/// better lie, and a certificate too odd to be checked would only lead back to clear text.
#[derive(Debug)]
struct AnyCertificate {
    schemes: Vec<SignatureScheme>,
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::DomainName;

    #[test]
    fn certificates_are_asked_for_the_name_of_the_host() {
        let ip: IpAddr = "192.0.2.1".parse().unwrap();
        let name = |text| server_name(&HostName::Name(DomainName::parse(text).unwrap()), ip);
        assert_eq!(name("mx.example.com"), ServerName::try_from("mx.example.com").unwrap());
        assert_eq!(server_name(&HostName::Ip(ip), ip), ServerName::from(ip));
    }

    #[test]
    fn nothing_is_verified_without_roots() {
        assert!(Connectors::opportunistic().unwrap().verified().is_none());
    }
}
