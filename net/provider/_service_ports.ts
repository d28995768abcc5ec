// Copyright 2026 the Sluice authors. MIT license.

/**
 * Well-known services by name and by port: those of IANA's registry that are in Debian's
 * `/etc/services` and in use. The table is built in, so that a service means the same on every
 * machine and no file can redirect it.
 */

/** Per line: a port, its name, and its aliases. */
const tcpServices = `
  7 echo; 9 discard; 11 systat users; 13 daytime; 17 qotd quote; 19 chargen; 20 ftp-data; 21 ftp; 22 ssh; 23 telnet; 25 smtp mail; 37 time;
  43 whois nicname; 49 tacacs; 53 domain; 70 gopher; 79 finger; 80 http www; 88 kerberos kerberos5 krb5; 102 iso-tsap; 104 acr-nema; 110 pop3 pop-3;
  111 sunrpc portmapper; 113 auth ident; 119 nntp; 135 epmap loc-srv; 139 netbios-ssn; 143 imap2 imap; 161 snmp; 162 snmp-trap snmptrap; 179 bgp; 389 ldap;
  427 svrloc; 443 https; 445 microsoft-ds; 464 kpasswd; 465 submissions smtps; 512 exec; 513 login; 514 shell; 515 printer; 540 uucp; 543 klogin;
  544 kshell; 548 afpovertcp; 554 rtsp; 563 nntps; 587 submission; 631 ipp; 636 ldaps; 646 ldp; 749 kerberos-adm; 783 spamd; 853 domain-s; 873 rsync;
  989 ftps-data; 990 ftps; 992 telnets; 993 imaps; 995 pop3s; 1080 socks; 1099 rmiregistry; 1194 openvpn; 1433 ms-sql-s; 1812 radius; 1813 radius-acct;
  2049 nfs; 2401 cvspserver; 2628 dict; 2947 gpsd; 3205 isns; 3260 iscsi-target; 3306 mysql; 3389 ms-wbt-server; 3493 nut; 3632 distcc; 3690 svn;
  4190 sieve; 4369 epmd; 4460 ntske; 5060 sip; 5061 sip-tls; 5222 xmpp-client; 5269 xmpp-server; 5432 postgresql postgres; 5671 amqps; 5672 amqp; 6000 x11;
  6379 redis; 6514 syslog-tls; 6667 ircd; 6697 ircs-u; 8080 http-alt webcache; 8140 puppet; 9418 git; 10050 zabbix-agent; 10051 zabbix-trapper;
  10809 nbd; 11371 hkp`;

const udpServices = `
  7 echo; 9 discard; 13 daytime; 19 chargen; 37 time; 49 tacacs; 53 domain; 67 bootps; 68 bootpc; 69 tftp; 88 kerberos kerberos5 krb5;
  111 sunrpc portmapper; 123 ntp; 137 netbios-ns; 138 netbios-dgm; 161 snmp; 162 snmp-trap snmptrap; 319 ptp-event; 320 ptp-general; 389 ldap; 427 svrloc;
  443 https; 464 kpasswd; 500 isakmp; 512 biff; 513 who; 514 syslog; 517 talk; 518 ntalk; 520 route router; 546 dhcpv6-client; 547 dhcpv6-server; 554 rtsp;
  623 asf-rmcp; 636 ldaps; 646 ldp; 853 domain-s; 1194 openvpn; 1434 ms-sql-m; 1701 l2f l2tp; 1812 radius; 1813 radius-acct; 2049 nfs; 3205 isns; 3493 nut;
  4500 ipsec-nat-t; 4569 iax; 5060 sip; 5061 sip-tls; 5353 mdns; 6696 babel`;

interface ServiceTable {
  readonly ports: ReadonlyMap<string, number>;
  readonly names: ReadonlyMap<number, string>;
}

const texts = { tcp: tcpServices, udp: udpServices };
const tables: { tcp?: ServiceTable; udp?: ServiceTable } = {};

/** Returns the table of `transport`, parsed at its first use: most programs have none. */
function tableOf(transport: "tcp" | "udp"): ServiceTable {
  return tables[transport] ??= parse(texts[transport]);
}

/**
 * Returns the port of a service, or `undefined` if there is no such service over `transport`.
 *
 * @param service Its name in lower case, or a port from 0 to 65535 without leading zeros.
 * @param transport The transport protocol.
 */
export function servicePort(service: string, transport: "tcp" | "udp"): number | undefined {
  if (!/^(?:0|[1-9][0-9]{0,4})$/.test(service)) return tableOf(transport).ports.get(service);
  const port = Number(service);
  return port > 65535 ? undefined : port;
}

/** Returns the name of the service on a port, or the port as text. */
export function serviceName(port: number, transport: "tcp" | "udp"): string {
  return tableOf(transport).names.get(port) ?? String(port);
}

function parse(text: string): ServiceTable {
  const ports = new Map<string, number>();
  const names = new Map<number, string>();
  for (const line of text.split(";")) {
    const [port, name, ...aliases] = line.trim().split(" ");
    names.set(Number(port), name);
    for (const each of [name, ...aliases]) ports.set(each, Number(port));
  }
  return { ports, names };
}
