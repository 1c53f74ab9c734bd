//! A small mail server (RFC 5321, STARTTLS, AUTH PLAIN) and a small HTTP server, which keep what they were told.

use rustls::pki_types::PrivateKeyDer;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// One mail as it came.
#[derive(Clone, Debug)]
pub struct Taken {
    pub to: String,
    pub text: String,
    pub encrypted: bool,
    pub login: Option<String>,
}

impl Taken {
    /// A header's value.
    pub fn header(&self, name: &str) -> String {
        let line = self.text.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        line.unwrap_or_default().to_owned()
    }
}

/// How a server behaves.
#[derive(Clone, Default)]
pub struct Manner {
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// TLS from the first byte.
    pub implicit: bool,
    /// Addresses that are unknown here.
    pub unknown: Vec<String>,
}

/// A server with the certificate that makes it `localhost`, in PEM.
pub fn tls() -> (Arc<rustls::ServerConfig>, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    let config = config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).expect("a pair");
    (Arc::new(config), made.cert.pem())
}

/// A mail server; it lives as long as the test's process. At a port of its own choice where 0 is asked for.
pub fn mail(port: u16, manner: Manner) -> (SocketAddr, Arc<Mutex<Vec<Taken>>>) {
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("a port");
    let address = listener.local_addr().expect("an address");
    let taken = Arc::<Mutex<Vec<Taken>>>::default();
    let kept = taken.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (manner, taken) = (manner.clone(), kept.clone());
            std::thread::spawn(move || serve(stream, &manner, &taken));
        }
    });
    (address, taken)
}

fn encrypted(stream: TcpStream, config: Arc<rustls::ServerConfig>) -> rustls::StreamOwned<rustls::ServerConnection, TcpStream> {
    rustls::StreamOwned::new(rustls::ServerConnection::new(config).expect("a connection"), stream)
}

fn serve(stream: TcpStream, manner: &Manner, taken: &Mutex<Vec<Taken>>) -> io::Result<()> {
    if manner.implicit {
        let config = manner.tls.clone().expect("a certificate");
        return talk(encrypted(stream, config), manner, taken, true).map(|_| ());
    }
    let plain = stream.try_clone()?;
    if talk(plain, manner, taken, false)? {
        let config = manner.tls.clone().expect("a certificate");
        talk(encrypted(stream, config), manner, taken, true)?;
    }
    Ok(())
}

/// True when STARTTLS was asked for. Without buffering beyond a line, so that nothing said in the clear is taken for said in secret.
fn talk(stream: impl Read + Write, manner: &Manner, taken: &Mutex<Vec<Taken>>, secret: bool) -> io::Result<bool> {
    let mut stream = BufReader::with_capacity(1, stream);
    let (mut to, mut login) = (Vec::new(), None);
    if !secret || manner.implicit {
        stream.get_mut().write_all(b"220 localhost ESMTP\r\n")?;
    }
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Ok(false);
        }
        let word = line.split_whitespace().next().unwrap_or_default().to_uppercase();
        let answer = match word.as_str() {
            "EHLO" if secret => "250-localhost\r\n250 AUTH PLAIN\r\n".to_owned(),
            "EHLO" if manner.tls.is_some() => "250-localhost\r\n250 STARTTLS\r\n".to_owned(),
            "EHLO" => "250-localhost\r\n250 8BITMIME\r\n".to_owned(),
            "STARTTLS" => {
                stream.get_mut().write_all(b"220 go ahead\r\n")?;
                return Ok(true);
            }
            "AUTH" => {
                login = line.split_whitespace().nth(2).map(str::to_owned);
                "235 welcome\r\n".to_owned()
            }
            "MAIL" if manner.tls.is_some() && !secret => "530 STARTTLS first\r\n".to_owned(),
            "RCPT" if manner.unknown.iter().any(|unknown| line.contains(unknown)) => "550 no such user\r\n".to_owned(),
            "RCPT" => {
                to.push(line.trim().to_owned());
                "250 ok\r\n".to_owned()
            }
            "DATA" => {
                stream.get_mut().write_all(b"354 go on\r\n")?;
                let text = data(&mut stream)?;
                let to = std::mem::take(&mut to).join(" ");
                taken.lock().expect("sound").push(Taken { to, text, encrypted: secret, login: login.clone() });
                "250 taken\r\n".to_owned()
            }
            "QUIT" => {
                stream.get_mut().write_all(b"221 bye\r\n")?;
                return Ok(false);
            }
            _ => "250 ok\r\n".to_owned(),
        };
        stream.get_mut().write_all(answer.as_bytes())?;
        stream.get_mut().flush()?;
    }
}

fn data(stream: &mut impl BufRead) -> io::Result<String> {
    let mut text = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 || line == ".\r\n" {
            return Ok(text);
        }
        text.push_str(&line);
    }
}

/// A request as it came: head and body.
pub type Asked = Arc<Mutex<Vec<(String, String)>>>;

/// An HTTP server that answers one status after another, the last one for ever.
pub fn http(statuses: &'static [u16]) -> (SocketAddr, Asked) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    let asked = Asked::default();
    let kept = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = BufReader::new(stream);
            let (mut head, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                if stream.read_line(&mut line).is_ok_and(|read| read > 2) {
                    let lower = line.to_lowercase();
                    length = lower.strip_prefix("content-length: ").and_then(|text| text.trim().parse().ok()).unwrap_or(length);
                    head.push_str(&lower);
                } else {
                    break;
                }
            }
            let mut body = vec![0; length];
            let _ = stream.read_exact(&mut body);
            let mut kept = kept.lock().expect("sound");
            let status = statuses.get(kept.len()).or(statuses.last()).copied().unwrap_or(200);
            kept.push((head, String::from_utf8_lossy(&body).into_owned()));
            let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            let _ = stream.get_mut().write_all(answer.as_bytes());
        }
    });
    (address, asked)
}
