//! Who listens on a port of this machine: a node port that is taken would take connections away from its owner.

use crate::topology::Protocol;
use std::fs;
use std::path::Path;

/// A process that holds a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortHolder {
    /// Its id; `None` where it may not be seen.
    pub pid: Option<u32>,
    /// Its name; empty where it may not be seen.
    pub program: String,
}

/// Who listens on a port, on any address, in the calling thread's network namespace; `None` is nobody.
pub fn port_holder(protocol: Protocol, port: u16) -> Option<PortHolder> {
    let tables: &[&str] = match protocol {
        Protocol::Tcp => &["tcp", "tcp6"],
        Protocol::Udp => &["udp", "udp6"],
    };
    let socket =
        tables.iter().find_map(|table| listening(&fs::read_to_string(format!("/proc/thread-self/net/{table}")).ok()?, protocol, port))?;
    let pid = owner(&format!("socket:[{socket}]"));
    let name = |pid: u32| fs::read_to_string(format!("/proc/{pid}/comm")).ok().map(|name| name.trim().to_owned());
    Some(PortHolder { pid, program: pid.and_then(name).unwrap_or_default() })
}

/// The socket's number from the kernel's table (proc(5)): columns are slot, local address, remote address, state, ... inode.
fn listening(table: &str, protocol: Protocol, port: u16) -> Option<u64> {
    let waiting = if protocol == Protocol::Tcp { "0A" } else { "07" };
    table.lines().skip(1).find_map(|line| {
        let mut columns = line.split_whitespace();
        let local = columns.nth(1)?.rsplit_once(':')?.1;
        let state = columns.nth(1)?;
        (u16::from_str_radix(local, 16) == Ok(port) && state == waiting).then(|| columns.nth(5)?.parse().ok())?
    })
}

fn owner(socket: &str) -> Option<u32> {
    let pids = fs::read_dir("/proc").ok()?.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let holds = |pid: &u32| {
        let handles = fs::read_dir(format!("/proc/{pid}/fd")).ok();
        handles.into_iter().flatten().flatten().any(|handle| fs::read_link(handle.path()).is_ok_and(|target| target == Path::new(socket)))
    };
    pids.into_iter().find(holds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, UdpSocket};

    #[test]
    fn the_holder_of_a_port_is_found() {
        let (tcp, udp) = (TcpListener::bind("127.0.0.1:0").expect("bound"), UdpSocket::bind("0.0.0.0:0").expect("bound"));
        let me = Some(std::process::id());
        let port = tcp.local_addr().expect("address").port();
        assert_eq!(port_holder(Protocol::Tcp, port).expect("held").pid, me);
        assert_eq!(port_holder(Protocol::Udp, udp.local_addr().expect("address").port()).expect("held").pid, me);
        drop(tcp);
        assert_eq!(port_holder(Protocol::Tcp, port), None);
    }
}
