//! Keys and certificates of the server: made once, kept in a folder that only the owner reads.

use base::files::{self, FileError};
use base::{Clock, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType, SerialNumber,
};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Why keys cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// A certificate or key that cannot be made or read.
    #[error("{what}: {reason}")]
    Crypto {
        /// Which.
        what: String,
        /// Why.
        reason: String,
    },
}

fn crypto(what: &str) -> impl Fn(String) -> PkiError {
    move |reason| PkiError::Crypto { what: what.to_owned(), reason }
}

/// The server's keys.
pub struct Pki {
    folder: PathBuf,
    /// The authority's certificate, PEM.
    pub ca_pem: String,
    ca_key: KeyPair,
    /// The server's certificate, PEM.
    pub server_pem: String,
    /// The server's key, PEM.
    pub server_key_pem: String,
    /// Signs tokens of service accounts.
    pub token_key: EcdsaKeyPair,
    /// Encrypts secrets at rest.
    pub seal_key: [u8; 32],
    /// Where randomness comes from.
    pub random: SystemRandom,
}

/// Names of the server inside and outside the cluster.
const NAMES: [&str; 6] = [
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster",
    "kubernetes.default.svc.cluster.local",
];
/// Its addresses: loopback, and the first of the service network.
pub const ADDRESSES: [&str; 3] = ["127.0.0.1", "::1", "10.43.0.1"];

const DAY: u64 = 86_400;
/// The authority lives ten years, what it signs one; the server's own is made again when less than 30 days are left.
const AUTHORITY_DAYS: u64 = 3_650;
const CERTIFICATE_DAYS: u64 = 365;
const RENEW_DAYS: u64 = 30;

impl Pki {
    /// Opens the folder, making what is missing. `addresses` are further ones that the server is reached at.
    ///
    /// # Errors
    /// When files cannot be read or written, or hold something else.
    pub fn open(folder: &Path, clock: &dyn Clock, addresses: &[IpAddr]) -> Result<Self, PkiError> {
        files::make_folder(folder, 0o700)?;
        let now = clock.now();
        let key_pem = kept(&folder.join("ca.key"), || Ok(generate()?.serialize_pem()))?;
        let ca_key = KeyPair::from_pem(&key_pem).map_err(|error| crypto("ca.key")(error.to_string()))?;
        let ca_pem = kept(&folder.join("ca.crt"), || authority(&ca_key, now))?;
        let token_pem = kept(&folder.join("token.key"), || Ok(generate()?.serialize_pem()))?;
        let token = KeyPair::from_pem(&token_pem).map_err(|error| crypto("token.key")(error.to_string()))?;
        let random = SystemRandom::new();
        let token_key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, token.serialized_der(), &random);
        let token_key = token_key.map_err(|error| crypto("token.key")(error.to_string()))?;
        let seal = kept(&folder.join("secrets.key"), || Ok(base::ids::hex(&base::ids::random::<32>())))?;
        let seal_key = unhex(seal.trim()).ok_or_else(|| crypto("secrets.key")("is no key of 32 bytes".to_owned()))?;
        let mut pki = Self {
            folder: folder.to_owned(),
            ca_pem,
            ca_key,
            server_pem: String::new(),
            server_key_pem: String::new(),
            token_key,
            seal_key,
            random,
        };
        pki.server(now, addresses)?;
        Ok(pki)
    }

    fn server(&mut self, now: Timestamp, addresses: &[IpAddr]) -> Result<(), PkiError> {
        let (certificate, key) = (self.folder.join("server.crt"), self.folder.join("server.key"));
        let wanted: Vec<IpAddr> = ADDRESSES.iter().filter_map(|text| text.parse().ok()).chain(addresses.iter().copied()).collect();
        if let (Some(pem), Some(key_pem)) = (read_text(&certificate)?, read_text(&key)?)
            && is_good(&pem, now, &wanted)
        {
            (self.server_pem, self.server_key_pem) = (pem, key_pem);
            return Ok(());
        }
        let mut params = params("wharf-apiserver", &[], now, CERTIFICATE_DAYS);
        params.subject_alt_names = NAMES.iter().filter_map(|name| Some(SanType::DnsName((*name).try_into().ok()?))).collect();
        params.subject_alt_names.extend(wanted.into_iter().map(SanType::IpAddress));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let (pem, key_pem) = self.sign(params)?;
        files::write_atomically(&key, key_pem.as_bytes(), 0o600)?;
        files::write_atomically(&certificate, pem.as_bytes(), 0o600)?;
        (self.server_pem, self.server_key_pem) = (pem, key_pem);
        Ok(())
    }

    /// A client certificate and its key, PEM: the common name is the user, the organisations are the groups.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn client(&self, user: &str, groups: &[&str], now: Timestamp) -> Result<(String, String), PkiError> {
        let mut params = params(user, groups, now, CERTIFICATE_DAYS);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(params)
    }

    /// The client certificate of a user, kept beside the others and made again when it ends soon.
    ///
    /// # Errors
    /// When it cannot be made or kept.
    pub fn kept_client(&self, user: &str, groups: &[&str], now: Timestamp) -> Result<(String, String), PkiError> {
        let (certificate, key) = (self.folder.join(format!("{user}.crt")), self.folder.join(format!("{user}.key")));
        if let (Some(pem), Some(key_pem)) = (read_text(&certificate)?, read_text(&key)?)
            && is_good(&pem, now, &[])
        {
            return Ok((pem, key_pem));
        }
        let (pem, key_pem) = self.client(user, groups, now)?;
        files::write_atomically(&key, key_pem.as_bytes(), 0o600)?;
        files::write_atomically(&certificate, pem.as_bytes(), 0o600)?;
        Ok((pem, key_pem))
    }

    fn sign(&self, mut params: CertificateParams) -> Result<(String, String), PkiError> {
        let failed = |error: rcgen::Error| crypto("certificate")(error.to_string());
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        params.use_authority_key_identifier_extension = true;
        let key = generate()?;
        let issuer = Issuer::from_ca_cert_pem(&self.ca_pem, &self.ca_key).map_err(failed)?;
        let certificate = params.signed_by(&key, &issuer).map_err(failed)?;
        Ok((certificate.pem(), key.serialize_pem()))
    }
}

fn generate() -> Result<KeyPair, PkiError> {
    KeyPair::generate().map_err(|error| crypto("key")(error.to_string()))
}

fn authority(key: &KeyPair, now: Timestamp) -> Result<String, PkiError> {
    let mut params = params("wharf-ca", &[], now, AUTHORITY_DAYS);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::CrlSign];
    let certificate = params.self_signed(key).map_err(|error| crypto("ca.crt")(error.to_string()))?;
    Ok(certificate.pem())
}

fn params(name: &str, organisations: &[&str], now: Timestamp, days: u64) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    for organisation in organisations {
        params.distinguished_name.push(DnType::OrganizationName, *organisation);
    }
    params.serial_number = Some(SerialNumber::from_slice(&base::ids::random::<16>()));
    // An hour back, for clocks of clients that go behind.
    let at = |seconds: i64| std::time::UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    params.not_before = at(now.seconds() - 3_600).into();
    params.not_after = at(now.seconds() + i64::try_from(days * DAY).unwrap_or(i64::MAX)).into();
    params
}

/// Whether a certificate holds for long enough, and for all of these addresses.
fn is_good(pem: &str, now: Timestamp, addresses: &[IpAddr]) -> bool {
    let Ok((_, block)) = x509_parser::pem::parse_x509_pem(pem.as_bytes()) else { return false };
    let Ok((_, certificate)) = X509Certificate::from_der(&block.contents) else { return false };
    let until = certificate.validity().not_after.timestamp();
    let names = certificate.subject_alternative_name().ok().flatten();
    let holds = |address: &IpAddr| {
        let bytes = match address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        let is = |name: &x509_parser::extensions::GeneralName<'_>| matches!(name, x509_parser::extensions::GeneralName::IPAddress(found) if *found == bytes);
        names.as_ref().is_some_and(|names| names.value.general_names.iter().any(is))
    };
    until > now.seconds() + i64::try_from(RENEW_DAYS * DAY).unwrap_or(0) && addresses.iter().all(holds)
}

fn kept(path: &Path, make: impl FnOnce() -> Result<String, PkiError>) -> Result<String, PkiError> {
    if let Some(text) = read_text(path)? {
        return Ok(text);
    }
    let text = make()?;
    files::write_atomically(path, text.as_bytes(), 0o600)?;
    Ok(text)
}

fn read_text(path: &Path) -> Result<Option<String>, PkiError> {
    let bytes = files::read_if_exists(path)?;
    let text = |bytes| String::from_utf8(bytes).map_err(|_| crypto(&path.display().to_string())("is no text".to_owned()));
    bytes.map(text).transpose()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(at * 2..at * 2 + 2)?, 16).ok()?;
    }
    Some(bytes)
}

/// A kubeconfig with one context, `wharf`.
pub fn kubeconfig(server: &str, ca_pem: &str, certificate_pem: &str, key_pem: &str) -> String {
    use base64::Engine;
    let encoded = |pem: &str| base64::engine::general_purpose::STANDARD.encode(pem);
    let (ca, certificate, key) = (encoded(ca_pem), encoded(certificate_pem), encoded(key_pem));
    format!(
        "apiVersion: v1\nkind: Config\nclusters:\n- name: wharf\n  cluster:\n    server: {server}\n    certificate-authority-data: {ca}\nusers:\n- name: wharf\n  user:\n    client-certificate-data: {certificate}\n    client-key-data: {key}\ncontexts:\n- name: wharf\n  context:\n    cluster: wharf\n    user: wharf\ncurrent-context: wharf\n"
    )
}
