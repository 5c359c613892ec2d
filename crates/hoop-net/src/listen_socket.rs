//! Opening listening sockets: all that a server is to listen on, or none.

use std::fs::{self, Permissions};
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};

use crate::address::Address;
use crate::error::ListenError;

/// How often a free port is looked for that is free on all addresses of a name.
const ATTEMPTS_AT_ONE_PORT: usize = 16;

/// What is to be listened on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bind {
    /// All addresses of a name, at one port; with port 0 the system chooses it.
    Tcp {
        /// The name, or an address.
        host: String,
        /// The port.
        port: u16,
    },
    /// A Unix socket. A socket file that nobody listens on any more is replaced; any other file is
    /// left alone and reported.
    Unix(PathBuf),
    /// A socket that listens already, by its number in this process. It is duplicated, and the number
    /// itself is left to whoever has it.
    Descriptor(RawFd),
}

/// How sockets are opened.
#[derive(Debug, Clone)]
pub struct ListenOptions {
    /// How many connections may wait to be accepted.
    pub backlog: i32,
    /// Whether others may listen on the same TCP port (`SO_REUSEPORT`).
    pub reuse_port: bool,
    /// The access mode of the files of Unix sockets; else the process's umask says it.
    pub unix_mode: Option<u32>,
}

/// A listening socket.
#[derive(Debug)]
pub struct ListenSocket {
    socket: Socket,
    address: Address,
    file: Option<SocketFile>,
}

impl ListenSocket {
    /// Opens all sockets. If one cannot be opened, those before it are closed again.
    pub fn open_all(binds: &[Bind], options: &ListenOptions) -> Result<Vec<Self>, ListenError> {
        let mut open = Vec::new();
        // Of `0.0.0.0` and `::` at one port the second takes only its own kind.
        let also_ipv4: Vec<u16> = binds.iter().filter_map(every_ipv4).collect();
        for bind in binds {
            match bind {
                Bind::Tcp { host, port } => {
                    open.extend(open_tcp(host, *port, also_ipv4.contains(port), options)?);
                }
                Bind::Unix(path) => open.push(open_unix(path, options)?),
                Bind::Descriptor(number) => open.push(duplicate(*number)?),
            }
        }
        Ok(open)
    }

    /// The address that is listened on.
    pub fn address(&self) -> &Address {
        &self.address
    }

    pub(crate) fn into_parts(self) -> (Socket, Address, Option<SocketFile>) {
        (self.socket, self.address, self.file)
    }
}

impl AsRawFd for ListenSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

/// The file of a Unix socket; it goes with its owner.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    /// Device and inode of the file that was made.
    identity: (u64, u64),
}

impl SocketFile {
    fn new(path: &Path) -> io::Result<Self> {
        let made = fs::metadata(path)?;
        Ok(Self { path: path.to_owned(), identity: (made.dev(), made.ino()) })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Only the file that was made here: a successor may have replaced it.
        if fs::metadata(&self.path).is_ok_and(|found| (found.dev(), found.ino()) == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn every_ipv4(bind: &Bind) -> Option<u16> {
    match bind {
        Bind::Tcp { host, port } if host == "0.0.0.0" => Some(*port),
        _ => None,
    }
}

fn open_tcp(
    host: &str,
    port: u16,
    only_ipv6: bool,
    options: &ListenOptions,
) -> Result<Vec<ListenSocket>, ListenError> {
    let unknown = |source| ListenError::UnknownHost { host: host.to_owned(), source };
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in (host, port).to_socket_addrs().map_err(unknown)? {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    let mut attempts = 0;
    loop {
        attempts += 1;
        match open_at_one_port(&addresses, only_ipv6, options) {
            // The port that the system chose for one address is taken at another.
            Err(ListenError::InUse { .. }) if port == 0 && attempts < ATTEMPTS_AT_ONE_PORT => {}
            Ok(open) if open.is_empty() => return Err(unknown(io::ErrorKind::NotFound.into())),
            done => return done,
        }
    }
}

/// Opens a socket at each address, all at the port that the first one gets.
fn open_at_one_port(
    addresses: &[SocketAddr],
    only_ipv6: bool,
    options: &ListenOptions,
) -> Result<Vec<ListenSocket>, ListenError> {
    let mut open: Vec<ListenSocket> = Vec::new();
    let mut absent = None;
    for address in addresses {
        let mut address = *address;
        if let Some(Address::Ip(first)) = open.first().map(ListenSocket::address) {
            address.set_port(first.port());
        }
        match listen(address, only_ipv6, options) {
            Ok(socket) => open.push(socket),
            // A name may have addresses of a kind that this machine has turned off.
            Err(error) if is_absent(&error) => absent = Some(ListenError::new(address.to_string(), error)),
            Err(error) => return Err(ListenError::new(address.to_string(), error)),
        }
    }
    match absent {
        Some(error) if open.is_empty() => Err(error),
        _ => Ok(open),
    }
}

fn is_absent(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let number = error.raw_os_error();
    [Errno::AFNOSUPPORT, Errno::ADDRNOTAVAIL].iter().any(|errno| number == Some(errno.raw_os_error()))
}

fn listen(address: SocketAddr, only_ipv6: bool, options: &ListenOptions) -> io::Result<ListenSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    if options.reuse_port {
        socket.set_reuse_port(true)?;
    }
    if only_ipv6 && matches!(address.ip(), IpAddr::V6(ip) if ip.is_unspecified()) {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(options.backlog)?;
    let address = Address::of(&socket.local_addr()?);
    Ok(ListenSocket { socket, address, file: None })
}

fn open_unix(path: &Path, options: &ListenOptions) -> Result<ListenSocket, ListenError> {
    let failed = |error| ListenError::new(path.display().to_string(), error);
    if is_abandoned_socket(path) {
        fs::remove_file(path).map_err(failed)?;
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(failed)?;
    socket.set_nonblocking(true).map_err(failed)?;
    socket.bind(&SockAddr::unix(path).map_err(failed)?).map_err(failed)?;
    let file = SocketFile::new(path).map_err(failed)?;
    if let Some(mode) = options.unix_mode {
        // Before anybody can connect.
        fs::set_permissions(path, Permissions::from_mode(mode)).map_err(failed)?;
    }
    socket.listen(options.backlog).map_err(failed)?;
    Ok(ListenSocket { socket, address: Address::Unix(Some(path.to_owned())), file: Some(file) })
}

fn is_abandoned_socket(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
        && std::os::unix::net::UnixStream::connect(path)
            .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

fn duplicate(number: RawFd) -> Result<ListenSocket, ListenError> {
    let unusable = |reason: &str| ListenError::Descriptor { number, reason: reason.to_owned() };
    if number < 0 {
        return Err(unusable("is below 0"));
    }
    // SAFETY: the number is only handed to fcntl, which answers EBADF if it is not open; what it
    // answers with otherwise is ours alone.
    let number = unsafe { BorrowedFd::borrow_raw(number) };
    let duplicated = number.try_clone_to_owned().map_err(|_| unusable("is not open"))?;
    let socket = Socket::from(duplicated);
    let Ok(kind) = socket.r#type() else { return Err(unusable("is not a socket")) };
    if kind != Type::STREAM {
        return Err(unusable("is not a stream socket"));
    }
    if !socket.is_listener().is_ok_and(|listens| listens) {
        return Err(unusable("is a socket that does not listen"));
    }
    let domain = socket.domain().map_err(|error| unusable(&error.to_string()))?;
    if ![Domain::IPV4, Domain::IPV6, Domain::UNIX].contains(&domain) {
        return Err(unusable("is neither a TCP nor a Unix socket"));
    }
    let local = socket.local_addr().map_err(|error| unusable(&error.to_string()))?;
    // The one flag that all who share the socket share too, and the runtime cannot do without it.
    socket.set_nonblocking(true).map_err(|error| unusable(&error.to_string()))?;
    Ok(ListenSocket { address: Address::of(&local), socket, file: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: ListenOptions = ListenOptions { backlog: 16, reuse_port: false, unix_mode: None };

    fn tcp(host: &str, port: u16) -> Bind {
        Bind::Tcp { host: host.to_owned(), port }
    }

    fn port(socket: &ListenSocket) -> u16 {
        match socket.address() {
            Address::Ip(address) => address.port(),
            Address::Unix(_) => panic!("not TCP"),
        }
    }

    #[test]
    fn a_taken_port_is_named_and_what_was_opened_before_is_closed() {
        let first = ListenSocket::open_all(&[tcp("127.0.0.1", 0)], &OPTIONS).expect("any port");
        let taken = port(&first[0]);
        let folder = std::env::temp_dir().join(format!("hoop-net-second-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("folder");
        let path = folder.join("socket");
        let binds = [Bind::Unix(path.clone()), tcp("127.0.0.1", taken)];
        let error = ListenSocket::open_all(&binds, &OPTIONS).expect_err("taken");
        assert!(matches!(&error, ListenError::InUse { .. }), "{error}");
        assert!(error.to_string().contains(&format!("127.0.0.1:{taken}")), "{error}");
        assert!(!path.exists(), "the socket before it is closed, its file gone");
        fs::remove_dir_all(&folder).expect("clean up");
    }

    #[test]
    fn all_addresses_of_a_name_get_one_port_and_those_that_are_absent_none() {
        // 192.0.2.0/24 is for documentation (RFC 5737): no machine has it.
        let addresses =
            ["127.0.0.1:0", "192.0.2.1:0", "127.0.0.2:0"].map(|text| text.parse().expect("address"));
        let open = open_at_one_port(&addresses, false, &OPTIONS).expect("two of them");
        assert_eq!(open.len(), 2);
        assert_eq!(port(&open[0]), port(&open[1]));
        let none = open_at_one_port(&addresses[1..2], false, &OPTIONS).expect_err("not here");
        assert!(none.to_string().contains("192.0.2.1"), "{none}");
    }

    #[test]
    fn a_port_is_shared_if_both_want_to() {
        let options = ListenOptions { reuse_port: true, ..OPTIONS };
        let first = ListenSocket::open_all(&[tcp("127.0.0.1", 0)], &options).expect("any port");
        let second = ListenSocket::open_all(&[tcp("127.0.0.1", port(&first[0]))], &options);
        assert_eq!(second.expect("shared").len(), 1);
    }

    #[test]
    fn an_abandoned_socket_file_is_replaced_and_a_live_one_is_not() {
        let folder = std::env::temp_dir().join(format!("hoop-net-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("folder");
        let path = folder.join("socket");
        let bind = [Bind::Unix(path.clone())];
        drop(std::os::unix::net::UnixListener::bind(&path).expect("bind"));
        let first = ListenSocket::open_all(&bind, &OPTIONS).expect("the abandoned file is replaced");
        let second = ListenSocket::open_all(&bind, &OPTIONS);
        assert!(matches!(second, Err(ListenError::InUse { .. })));
        drop(first);
        assert!(!path.exists(), "the file goes with its listener");
        fs::write(&path, "precious").expect("write");
        let third = ListenSocket::open_all(&bind, &OPTIONS);
        assert!(matches!(third, Err(ListenError::InUse { .. })));
        assert_eq!(fs::read_to_string(&path).expect("kept"), "precious");
        fs::remove_dir_all(&folder).expect("clean up");
    }

    #[test]
    fn what_is_no_listening_socket_is_named() {
        let reason = |number| {
            ListenSocket::open_all(&[Bind::Descriptor(number)], &OPTIONS).expect_err("unusable").to_string()
        };
        let plain = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        assert!(reason(plain.as_raw_fd()).contains("does not listen"));
        let datagrams = Socket::new(Domain::IPV4, Type::DGRAM, None).expect("a socket");
        assert!(reason(datagrams.as_raw_fd()).contains("not a stream socket"));
        let file = fs::File::open("/dev/null").expect("a file");
        assert!(reason(file.as_raw_fd()).contains("is not a socket"));
        assert!(reason(-1).contains("is below 0"));
        assert!(reason(RawFd::MAX).contains("is not open"));
    }
}
