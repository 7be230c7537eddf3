//! What can go wrong with TLS, in words a person understands.

use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};

/// A failed handshake, or a broken connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TlsFault {
    /// What tells it from others: a few words.
    pub(crate) detail: String,
    /// A sentence.
    pub(crate) text: String,
}

impl From<Error> for TlsFault {
    fn from(error: Error) -> Self {
        let detail = match &error {
            Error::InvalidCertificate(why) => certificate(why).to_owned(),
            Error::NoCertificatesPresented => "no certificate".to_owned(),
            Error::AlertReceived(alert) => alert_words(*alert),
            Error::PeerIncompatible(why) => incompatible(why).to_owned(),
            Error::NoApplicationProtocol => "http/1.1 refused (ALPN)".to_owned(),
            Error::InvalidMessage(_) | Error::InappropriateMessage { .. } => "not TLS".to_owned(),
            _ => "broken".to_owned(),
        };
        Self { text: format!("{detail}: {error}"), detail }
    }
}

fn certificate(why: &CertificateError) -> &'static str {
    match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "certificate expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "certificate not valid yet",
        CertificateError::Revoked => "certificate revoked",
        CertificateError::UnknownIssuer => "certificate of an unknown issuer",
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "certificate for another name"
        }
        CertificateError::BadSignature => "certificate with a bad signature",
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "certificate for another purpose"
        }
        // What `openssl req -x509` makes, unless told otherwise: an authority that serves by its own certificate.
        CertificateError::Other(other) if format!("{other:?}").contains("CaUsedAsEndEntity") => {
            "certificate signed by itself"
        }
        _ => "certificate not acceptable",
    }
}

fn alert_words(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::HandshakeFailure => "handshake refused by the server".to_owned(),
        AlertDescription::ProtocolVersion => "TLS version refused by the server".to_owned(),
        AlertDescription::CertificateRequired => "client certificate wanted by the server".to_owned(),
        AlertDescription::UnrecognisedName => "name unknown to the server (SNI)".to_owned(),
        AlertDescription::NoApplicationProtocol => "http/1.1 refused (ALPN)".to_owned(),
        AlertDescription::BadCertificate
        | AlertDescription::UnknownCA
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnsupportedCertificate => "client certificate refused by the server".to_owned(),
        other => format!("alert {other:?} from the server"),
    }
}

fn incompatible(why: &PeerIncompatible) -> &'static str {
    match why {
        PeerIncompatible::ServerDoesNotSupportTls12Or13
        | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
        | PeerIncompatible::Tls12NotOffered
        | PeerIncompatible::Tls12NotOfferedOrEnabled
        | PeerIncompatible::SupportedVersionsExtensionRequired => "no common TLS version",
        PeerIncompatible::NoCipherSuitesInCommon => "no common cipher",
        _ => "nothing in common",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail(error: Error) -> String {
        TlsFault::from(error).detail
    }

    #[test]
    fn each_fault_of_a_certificate_has_words_of_its_own() {
        let of = |why| detail(Error::InvalidCertificate(why));
        assert_eq!(of(CertificateError::Expired), "certificate expired");
        assert_eq!(of(CertificateError::NotValidYet), "certificate not valid yet");
        assert_eq!(of(CertificateError::UnknownIssuer), "certificate of an unknown issuer");
        assert_eq!(of(CertificateError::NotValidForName), "certificate for another name");
        assert_eq!(of(CertificateError::BadEncoding), "certificate not acceptable");
    }

    #[test]
    fn what_the_server_says_is_told_as_its_doing() {
        let of = |alert| detail(Error::AlertReceived(alert));
        assert_eq!(of(AlertDescription::CertificateRequired), "client certificate wanted by the server");
        assert_eq!(of(AlertDescription::UnknownCA), "client certificate refused by the server");
        assert_eq!(of(AlertDescription::InternalError), "alert InternalError from the server");
        assert_eq!(detail(Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType)), "not TLS");
    }
}
