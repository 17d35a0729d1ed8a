"""For each check of the directory, what makes it fail: the subject of the finding, and a change to the good school."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from checks.core import Failure, FailureKind
from tests.checks.directory.conftest import metadata
from tests.checks.directory.double import BASE, CONFIG, DC2, DOMAIN_SID, Directory, ago, stamp

PSO = f"CN=PSO_Docenten,CN=Password Settings Container,CN=System,{BASE}"
SERVICE = f"CN=Directory Service,CN=Windows NT,CN=Services,{CONFIG}"
RIDS = f"CN=RID Manager$,CN=System,{BASE}"
DAYS = 864 * 10**9

HERE = f"CN=Hoofdsite,CN=Sites,{CONFIG}"
EVERYONE = f"CN=S-1-5-11,CN=ForeignSecurityPrincipals,{BASE}"
TRUST, GUARD = f"CN=school.be,CN=System,{BASE}", f"CN=AdminSDHolder,CN=System,{BASE}"
CROSS = f"CN=SCHOOL,CN=Partitions,{CONFIG}"


def _forest(d: Directory) -> None:
    d.change("", rootDomainNamingContext="DC=test")
    d.add(f"CN=TEST,CN=Partitions,{CONFIG}", objectClass="crossRef", nCName="DC=test", dnsRoot="test", systemFlags=3,
          nETBIOSName="TEST")  # fmt: skip


def _server(d: Directory, name: str, *, service: bool) -> None:
    server = f"CN={name},CN=Servers,CN=Hoofdsite,CN=Sites,{CONFIG}"
    d.add(server, objectClass=["top", "server"], cn=name, serverReference=f"CN={name},OU=Domain Controllers,{BASE}")
    if service:
        d.add(f"CN=NTDS Settings,{server}", objectClass=["top", "nTDSDSA"], options=1)


def _holds(d: Directory, dn: str, host: str) -> None:
    d.change(dn, fSMORoleOwner=f"CN=NTDS Settings,CN={host},CN=Servers,CN=Hoofdsite,CN=Sites,{CONFIG}")


def _other_policy(d: Directory) -> None:
    d.entries[PSO.replace("PSO_Docenten", "PSO_Anders")] = d.entries.pop(PSO) | {"cn": ["PSO_Anders"]}


def _cut_off(d: Directory) -> None:
    for dn in (BASE, CONFIG, f"CN=Schema,{CONFIG}"):
        d.change(dn, repsFrom=None)


def _many_admins(d: Directory) -> None:
    for n in range(9):
        d.append("Domeinadministrators", "member", d.user(f"b{n}", 1300 + n, "OU=Docenten"))


def fail(d: Directory, kind: FailureKind) -> None:
    d.failure = Failure(kind, "no answer in 8 s")


Fault = Callable[[Directory], Any]
FAULTS: dict[str, list[tuple[str, Fault]]] = {
    # domain
    "domain.dns_name_is_right": [("", lambda d: d.change(CROSS, dnsRoot="other.test"))],
    "domain.short_name_is_right": [("", lambda d: d.change(CROSS, nETBIOSName="SCHOOL2"))],
    "domain.domain_is_in_forest": [("", _forest)],
    "domain.domain_level_is_high_enough": [("", lambda d: d.change("", domainFunctionality=4))],
    "domain.forest_level_is_high_enough": [("", lambda d: d.change("", forestFunctionality=6))],
    "domain.controllers_are_the_declared_ones": [
        ("", lambda d: _server(d, "DC3", service=True)),
        ("", lambda d: d.remove(f"CN=NTDS Settings,CN=DC2,CN=Servers,{HERE}")),
    ],
    "domain.there_are_enough_controllers": [
        ("", lambda d: d.remove(f"CN=NTDS Settings,CN=DC2,CN=Servers,{HERE}")),
        ("", lambda d: d.append(f"CN=NTDS Settings,CN=DC2,CN=Servers,{HERE}", "objectClass", "nTDSDSARO")),
    ],
    "domain.controllers_are_global_catalogs": [
        ("", lambda d: d.change(f"CN=NTDS Settings,CN=DC1,CN=Servers,{HERE}", options=0))
    ],
    "domain.removed_controllers_left_nothing": [("", lambda d: _server(d, "DC9", service=False))],
    "domain.sites_are_the_declared_ones": [
        ("", lambda d: d.add(f"CN=Campus,CN=Sites,{CONFIG}", objectClass=["top", "site"], cn="Campus"))
    ],
    "domain.subnets_belong_to_their_site": [
        ("10.77.10.0/24", lambda d: d.change(f"CN=10.77.10.0/24,CN=Subnets,CN=Sites,{CONFIG}", siteObject=None)),
        ("10.77.10.0/24", lambda d: d.remove(f"CN=10.77.10.0/24,CN=Subnets,CN=Sites,{CONFIG}")),
    ],
    "domain.logon_suffixes_are_the_declared_ones": [
        ("", lambda d: d.change(f"CN=Partitions,{CONFIG}", uPNSuffixes=None))
    ],
    "domain.users_cannot_join_computers": [("", lambda d: d.change(BASE, ms__DS__MachineAccountQuota=10))],
    "domain.recycle_bin_is_as_declared": [
        ("", lambda d: d.change(f"CN=Recycle Bin Feature,CN=Optional Features,{SERVICE}", msDS__EnabledFeatureBL=None))
    ],
    "domain.deleted_objects_are_kept_long_enough": [
        ("", lambda d: d.change(SERVICE, tombstoneLifetime=30)),
        ("", lambda d: d.change(SERVICE, tombstoneLifetime=None)),
    ],
    "domain.schema_master_is_right": [("", lambda d: _holds(d, f"CN=Schema,{CONFIG}", "DC2"))],
    "domain.naming_master_is_right": [("", lambda d: _holds(d, f"CN=Partitions,{CONFIG}", "DC2"))],
    "domain.pdc_emulator_is_right": [("", lambda d: _holds(d, BASE, r"DC1\0ADEL:0a1b"))],
    "domain.rid_master_is_right": [("", lambda d: _holds(d, RIDS, "DC2"))],
    "domain.infrastructure_master_is_right": [("", lambda d: _holds(d, f"CN=Infrastructure,{BASE}", "DC1"))],
    "domain.trusts_are_the_declared_ones": [
        ("", lambda d: d.remove(TRUST)),
        ("", lambda d: d.change(TRUST, trustPartner="other.be")),
    ],
    "domain.directory_was_backed_up": [
        ("", lambda d: d.change(BASE, msDS__ReplAttributeMetaData=[metadata("dSASignature", 8)])),
        ("", lambda d: d.change(BASE, msDS__ReplAttributeMetaData=[metadata("dc", 2)])),
    ],
    # delegation
    "delegation.secrets_go_to_controllers_only": [
        ("", lambda d: d.change(BASE, nTSecurityDescriptor="sync")),
        ("", lambda d: d.change(BASE, nTSecurityDescriptor="all rights")),
        ("", lambda d: d.change(BASE, nTSecurityDescriptor="takes over")),
    ],
    "delegation.guarded_accounts_belong_to_admins": [
        ("", lambda d: d.change(GUARD, nTSecurityDescriptor="takes over")),
        ("", lambda d: d.change(GUARD, nTSecurityDescriptor="resets")),
        ("", lambda d: d.change(GUARD, nTSecurityDescriptor="members")),
        ("", lambda d: d.change(GUARD, nTSecurityDescriptor="everybody")),
    ],
    "delegation.everybody_has_no_power": [
        ("", lambda d: d.change(f"OU=Docenten,{BASE}", nTSecurityDescriptor="everybody")),
        ("", lambda d: d.change(f"OU=Docenten,{BASE}", nTSecurityDescriptor="everybody below")),
        ("", lambda d: d.change(f"CN=Users,{BASE}", nTSecurityDescriptor="everybody resets")),
        ("", lambda d: d.change(BASE, nTSecurityDescriptor="everybody")),
    ],
    "delegation.controllers_belong_to_admins": [
        ("", lambda d: d.change("DC2$", nTSecurityDescriptor="owned by jan"))
    ],
    "delegation.trusts_filter_foreign_sids": [
        ("", lambda d: d.change(TRUST, trustAttributes=0)),
        ("", lambda d: d.change(TRUST, trustAttributes=0x48)),
        ("", lambda d: d.change(TRUST, trustAttributes=0x808)),
    ],
    # organisation
    "organisation.unit_exists": [
        ("Docenten", lambda d: d.remove(f"OU=Docenten,{BASE}")),
        ("Oud", lambda d: d.add(f"OU=oud,{BASE}", objectClass="organizationalUnit")),
    ],
    "organisation.unit_is_protected": [
        ("Docenten", lambda d: d.change(f"OU=Docenten,{BASE}", nTSecurityDescriptor="open")),
        ("Docenten", lambda d: d.change(f"OU=Docenten,{BASE}", nTSecurityDescriptor="half protected")),
        ("Docenten", lambda d: d.change(f"OU=Docenten,{BASE}", nTSecurityDescriptor="inherit only")),
    ],
    "organisation.units_are_the_declared_ones": [
        ("", lambda d: d.add(f"OU=Oud,OU=Docenten,{BASE}", objectClass="organizationalUnit")),
        ("", lambda d: d.remove(f"OU=Docenten,{BASE}")),
    ],
    "organisation.every_unit_is_protected": [
        ("", lambda d: d.change(f"OU=Studenten,{BASE}", nTSecurityDescriptor="open"))
    ],
    "organisation.default_containers_are_unused": [
        ("Users", lambda d: d.user("los", 1200)),
        ("Users", lambda d: d.group("G_Los", 1200, "CN=Users")),
        ("Computers", lambda d: d.computer("los", 1200, "CN=Computers")),
    ],
    # people
    "people.user_exists": [
        ("jan.peeters", lambda d: d.remove("jan.peeters")),
        ("oud.leerling", lambda d: d.user("Oud.Leerling", 1200, "OU=Docenten")),
        ("jan.peeters", lambda d: d.change("jan.peeters", sAMAccountType=805306369)),
    ],
    "people.user_is_in_unit": [("jan.peeters", lambda d: d.move("jan.peeters", f"OU=Studenten,{BASE}"))],
    "people.user_is_enabled_as_declared": [
        ("jan.peeters", lambda d: d.change("jan.peeters", userAccountControl=0x202)),
        ("Guest", lambda d: d.change("Gast", userAccountControl=0x200)),
    ],
    "people.user_properties_match": [
        ("jan.peeters", lambda d: d.change("jan.peeters", department="Talen")),
        ("jan.peeters", lambda d: d.change("jan.peeters", givenName="jan")),
        ("jan.peeters", lambda d: d.change("jan.peeters", userPrincipalName=None)),
    ],
    "people.user_has_home_folder": [
        ("jan.peeters", lambda d: d.change("jan.peeters", homeDirectory=r"\\files1\homes\jan")),
        ("jan.peeters", lambda d: d.change("jan.peeters", homeDrive="G:")),
        ("jan.peeters", lambda d: d.change("jan.peeters", homeDirectory=None)),
    ],
    "people.user_has_profile_and_script": [
        ("jan.peeters", lambda d: d.change("jan.peeters", scriptPath=None)),
        ("jan.peeters", lambda d: d.change("jan.peeters", profilePath=r"\\files1\Profiles$\x")),
    ],
    "people.user_attributes_match": [
        ("jan.peeters", lambda d: d.change("jan.peeters", employeeType="tijdelijk")),
        ("jan.peeters", lambda d: d.change("jan.peeters", otherTelephone=["1", "2", "3"])),
        ("jan.peeters", lambda d: d.change("jan.peeters", employeeType=None)),
    ],
    "people.user_is_in_groups": [
        ("jan.peeters", lambda d: d.change("DL_Personeel", member=None)),
        ("jan.peeters", lambda d: d.change("jan.peeters", primaryGroupID=514)),
    ],
    "people.user_is_in_no_other_groups": [
        ("jan.peeters", lambda d: d.append("G_INF1", "member", d.dn("jan.peeters"))),
        ("jan.peeters", lambda d: d.change("Nieuws", member=None)),
    ],
    "people.user_is_kept_out_of_groups": [
        ("jan.peeters", lambda d: d.append("Domeinadministrators", "member", d.dn("G_Docenten"))),
        ("jan.peeters", lambda d: d.change("jan.peeters", primaryGroupID=512)),
    ],
    "people.user_password_expires_as_declared": [
        ("jan.peeters", lambda d: d.change("jan.peeters", userAccountControl=0x10200))
    ],
    "people.user_must_choose_a_password_as_declared": [
        ("jan.peeters", lambda d: d.change("jan.peeters", pwdLastSet=0)),
        ("sara", lambda d: d.change("sara", pwdLastSet=ago(1))),
    ],
    "people.user_ends_as_declared": [
        ("jan.peeters", lambda d: d.change("jan.peeters", accountExpires=0)),
        ("sara", lambda d: d.change("sara", accountExpires=ago(3))),
    ],
    # groups
    "groups.group_exists": [
        ("G_Docenten", lambda d: d.remove("G_Docenten")),
        ("Oude groep", lambda d: d.group("oude groep", 1200)),
    ],
    "groups.group_has_scope": [("G_Docenten", lambda d: d.change("G_Docenten", groupType=-2147483640))],
    "groups.group_is_of_type": [
        ("G_Docenten", lambda d: d.change("G_Docenten", groupType=2)),
        ("Nieuws", lambda d: d.change("Nieuws", groupType=-2147483646)),
    ],
    "groups.group_is_in_unit": [("G_Docenten", lambda d: d.move("G_Docenten", f"CN=Users,{BASE}"))],
    "groups.group_has_members": [
        ("G_Docenten", lambda d: d.append("G_Docenten", "member", d.dn("sara"))),
        ("G_Docenten", lambda d: d.change("G_Docenten", member=None)),
        ("G_Docenten", lambda d: d.change("sara", primaryGroupID=1108)),
        ("DL_Personeel", lambda d: d.append("G_Docenten", "member", d.dn("sara"))),
        ("Kring A", lambda d: d.append("Kring B", "member", d.dn("sara"))),
        ("Domain Users", lambda d: d.change("jan.peeters", primaryGroupID=514)),
        ("Users", lambda d: d.append("Gebruikers", "member", f"CN=S-1-5-7,CN=ForeignSecurityPrincipals,{BASE}")),
    ],
    "groups.group_keeps_others_out": [
        ("DL_Personeel", lambda d: d.append("G_Docenten", "member", d.dn("G_INF1"))),
        ("DL_Personeel", lambda d: d.append("G_Docenten", "member", d.dn("sara"))),
    ],
    "groups.group_is_in_groups": [("DL_Personeel", lambda d: d.change("Kring A", member=[d.dn("Kring B")]))],
    "groups.group_holds_only": [
        ("G_Docenten", lambda d: d.append("G_Docenten", "member", d.dn("G_INF1"))),
        ("DL_Personeel", lambda d: d.append("DL_Personeel", "member", d.dn("sara"))),
    ],
    # computers
    "computers.computer_exists": [
        ("client1", lambda d: d.remove("CLIENT1$")),
        ("weg", lambda d: d.computer("weg", 1200)),
    ],
    "computers.computer_is_in_unit": [("client1", lambda d: d.move("CLIENT1$", f"CN=Computers,{BASE}"))],
    "computers.computer_is_enabled_as_declared": [
        ("client1", lambda d: d.change("CLIENT1$", userAccountControl=0x1002))
    ],
    "computers.computer_is_in_use": [
        ("client1", lambda d: d.change("CLIENT1$", pwdLastSet=ago(40), lastLogonTimestamp=ago(31))),
        ("client1", lambda d: d.change("CLIENT1$", pwdLastSet=0, lastLogonTimestamp=None)),
    ],
    "computers.computer_has_dns_name": [("client1", lambda d: d.change("CLIENT1$", dNSHostName=None))],
    "computers.computer_runs_operating_system": [
        ("client1", lambda d: d.change("CLIENT1$", operatingSystem="Windows 10 Pro")),
        ("client1", lambda d: d.change("CLIENT1$", operatingSystem=None)),
    ],
    "computers.computer_is_in_groups": [("client1", lambda d: d.change("Kring B", member=[d.dn("Kring A")]))],
    "computers.computers_are_in_use": [
        ("", lambda d: d.change("FILES1$", pwdLastSet=ago(70), lastLogonTimestamp=ago(61)))
    ],
    "hygiene.users_are_in_use": [
        ("", lambda d: d.change("sara", lastLogonTimestamp=ago(61))),
        ("", lambda d: d.change("sara", lastLogonTimestamp=None)),
    ],
    # passwords
    "passwords.passwords_are_long_enough": [("", lambda d: d.change(BASE, minPwdLength=11))],
    "passwords.old_passwords_are_refused": [("", lambda d: d.change(BASE, pwdHistoryLength=5))],
    "passwords.passwords_expire_in_time": [
        ("", lambda d: d.change(BASE, maxPwdAge=-366 * DAYS)),
        ("", lambda d: d.change(BASE, maxPwdAge=-(2**63))),
        ("", lambda d: d.change(BASE, maxPwdAge=0)),
    ],
    "passwords.passwords_cannot_be_cycled": [("", lambda d: d.change(BASE, minPwdAge=0))],
    "passwords.complexity_is_as_declared": [("", lambda d: d.change(BASE, pwdProperties=0))],
    "passwords.reversible_storage_is_as_declared": [("", lambda d: d.change(BASE, pwdProperties=0x11))],
    "passwords.guessing_locks_the_account": [
        ("", lambda d: d.change(BASE, lockoutThreshold=0)),
        ("", lambda d: d.change(BASE, lockoutThreshold=11)),
    ],
    "passwords.lockout_lasts_long_enough": [("", lambda d: d.change(BASE, lockoutDuration=-(10 * 60 * 10**7)))],
    "passwords.wrong_passwords_are_counted_long_enough": [
        ("", lambda d: d.change(BASE, lockOutObservationWindow=-(10 * 60 * 10**7)))
    ],
    "passwords.fine_grained_policy_exists": [("PSO_Docenten", _other_policy)],
    "passwords.fine_grained_policy_applies_to_declared": [
        ("PSO_Docenten", lambda d: d.append(PSO, "msDS-PSOAppliesTo", d.dn("G_INF1"))),
        ("PSO_Docenten", lambda d: d.change(PSO, msDS__PSOAppliesTo=None)),
    ],
    "passwords.fine_grained_policy_has_precedence": [
        ("PSO_Docenten", lambda d: d.change(PSO, msDS__PasswordSettingsPrecedence=20))
    ],
    "passwords.fine_grained_policy_is_strict_enough": [
        ("PSO_Docenten", lambda d: d.change(PSO, msDS__MinimumPasswordLength=12)),
        ("PSO_Docenten", lambda d: d.change(PSO, msDS__PasswordComplexityEnabled="FALSE")),
        ("PSO_Docenten", lambda d: d.change(PSO, msDS__MaximumPasswordAge="-9223372036854775808")),
        ("PSO_Docenten", lambda d: d.change(PSO, msDS__LockoutDuration=-(30 * 60 * 10**7))),
    ],
    # privileged
    "privileged.privileged_groups_hold_only_declared": [
        ("Domeinadministrators", lambda d: d.append("Domeinadministrators", "member", d.dn("G_Docenten"))),
        ("Domeinadministrators", lambda d: d.change("jan.peeters", primaryGroupID=512)),
        ("Domeinadministrators", lambda d: d.change("Domeinadministrators", member=[d.dn("Administrator")])),
        ("Administrators", lambda d: d.append("Ondernemingsadministrators", "member", d.dn("sara"))),
        ("Schema-administrators", lambda d: d.append("Schema-administrators", "member", d.dn("Administrator"))),
        ("Accountoperators", lambda d: d.append("Accountoperators", "member", EVERYONE)),
        ("DnsAdmins", lambda d: d.append("DnsAdmins", "member", d.dn("sara"))),
    ],
    "privileged.krbtgt_password_is_fresh": [
        ("", lambda d: d.change("krbtgt", pwdLastSet=ago(181))),
        ("", lambda d: d.change("krbtgt", pwdLastSet=0, whenCreated=stamp(300))),
    ],
    "privileged.guest_is_disabled": [("", lambda d: d.change("Gast", userAccountControl=0x200))],
    "privileged.admins_cannot_be_delegated": [("", lambda d: d.change("Administrator", userAccountControl=0x200))],
    "privileged.admins_have_no_service_name": [("", lambda d: d.change("beheer.jan", servicePrincipalName="HTTP/x"))],
    "privileged.admin_passwords_are_fresh": [("", lambda d: d.change("beheer.jan", pwdLastSet=ago(366)))],
    "privileged.admins_are_in_use": [
        ("", lambda d: d.change("beheer.jan", lastLogonTimestamp=ago(200), whenCreated=stamp(300)))
    ],
    "privileged.builtin_administrator_is_unused": [
        ("", lambda d: d.change("Administrator", lastLogonTimestamp=ago(1)))
    ],
    "privileged.admins_are_few": [("", _many_admins)],
    "privileged.operators_groups_are_empty": [
        ("Back-upoperators", lambda d: d.append("Back-upoperators", "member", d.dn("G_Docenten")))
    ],
    "privileged.schema_admins_is_empty": [
        ("Schema-administrators", lambda d: d.append("Schema-administrators", "member", d.dn("Administrator")))
    ],
    "privileged.admins_are_protected_users": [("", lambda d: d.change("Beveiligde gebruikers", member=None))],
    "privileged.former_admins_are_cleaned_up": [
        ("", lambda d: d.change("jan.peeters", adminCount=1)),
        ("", lambda d: d.change("G_Docenten", adminCount=1)),
    ],
    "privileged.anonymous_cannot_read": [
        ("", lambda d: d.change(SERVICE, dSHeuristics="0000002")),
        ("", lambda d: d.append("Pre-Windows 2000", "member", f"CN=S-1-5-7,CN=ForeignSecurityPrincipals,{BASE}")),
    ],
    # hygiene
    "hygiene.passwords_are_required": [("", lambda d: d.change("sara", userAccountControl=0x220))],
    "hygiene.passwords_can_expire": [("", lambda d: d.change("sara", userAccountControl=0x10200))],
    "hygiene.logons_are_preauthenticated": [("", lambda d: d.change("sara", userAccountControl=0x400200))],
    "hygiene.passwords_are_not_reversible": [("", lambda d: d.change("sara", userAccountControl=0x280))],
    "hygiene.des_is_not_used": [
        ("", lambda d: d.change("sara", userAccountControl=0x200200)),
        ("", lambda d: d.change("CLIENT1$", msDS__SupportedEncryptionTypes=3)),
    ],
    "hygiene.tickets_can_use_aes": [("", lambda d: d.change("CLIENT1$", msDS__SupportedEncryptionTypes=4))],
    "hygiene.primary_groups_are_default": [
        ("", lambda d: d.change("sara", primaryGroupID=512)),
        ("", lambda d: d.change("CLIENT1$", primaryGroupID=516)),
        ("", lambda d: d.change("DC1$", primaryGroupID=515)),
    ],
    "hygiene.nobody_bears_another_sid": [("", lambda d: d.change("sara", sIDHistory=f"{DOMAIN_SID}-512"))],
    "hygiene.delegation_is_constrained": [
        ("", lambda d: d.change("FILES1$", userAccountControl=0x81000)),
        ("", lambda d: d.change("sara", userAccountControl=0x80200)),
    ],
    "hygiene.controllers_are_no_delegation_target": [
        ("", lambda d: d.change("FILES1$", msDS__AllowedToDelegateTo=["cifs/x", "ldap/DC1.school.test:389/s"])),
        ("", lambda d: d.change("sara", msDS__AllowedToDelegateTo="cifs/dc2")),
    ],
    "hygiene.service_names_are_unique": [("", lambda d: d.change("sara", servicePrincipalName="host/CLIENT1"))],
    "hygiene.no_object_is_in_conflict": [("", lambda d: d.user(r"sara\0ACNF:0a1b", 1200, "OU=Docenten"))],
    "hygiene.descriptions_tell_no_password": [
        ("", lambda d: d.change("sara", description="Leerling; wachtwoord: Zomer2025")),
        ("", lambda d: d.change("G_Docenten", description="mot de passe = secret1")),
        ("", lambda d: d.change("CLIENT1$", description="PW is Welkom01")),
    ],
    "hygiene.systems_get_updates": [
        ("", lambda d: d.change("CLIENT1$", operatingSystem="Windows 10 Pro")),
        ("", lambda d: d.change("FILES1$", operatingSystem="Windows Server 2012 R2 Standard")),
    ],
    "hygiene.local_administrators_have_own_passwords": [
        ("", lambda d: d.change("CLIENT1$", msLAPS__PasswordExpirationTime=None))
    ],
    "hygiene.only_admins_join_computers": [("", lambda d: d.change(BASE, ms__DS__MachineAccountQuota=10))],
    # replication: what differs on the second controller
    "replication.controllers_answer": [("dc2", lambda d: fail(d, FailureKind.UNREACHABLE))],
    "replication.controllers_are_synchronized": [("dc2", lambda d: d.change("", isSynchronized="FALSE"))],
    "replication.controller_clocks_agree": [("", lambda d: d.change("", currentTime="20251124023201.0Z"))],
    "replication.controllers_name_the_same_roles": [("schema", lambda d: _holds(d, f"CN=Schema,{CONFIG}", "DC2"))],
    "replication.replication_links_work": [
        ("dc2", lambda d: d.change(CONFIG, repsFrom=f"{DC2} 3 {ago(0.01)} 1722")),
        ("dc2", lambda d: d.change(BASE, repsFrom=f"{DC2} 0 {ago(1)}")),
        ("dc2", lambda d: d.change(BASE, repsFrom=f"{DC2} 0 0")),
        ("dc2", _cut_off),
    ],
    "replication.controllers_agree": [
        ("", lambda d: d.remove("sara")),
        ("", lambda d: d.user("nieuw", 1200, "OU=Docenten")),
        ("", lambda d: d.append("G_INF1", "member", d.dn("jan.peeters"))),
        ("", lambda d: d.change("sara", pwdLastSet=ago(3))),
        ("", lambda d: d.change(BASE, minPwdLength=8)),
        ("", lambda d: d.move("sara", f"OU=Docenten,{BASE}")),
    ],
}  # fmt: skip
