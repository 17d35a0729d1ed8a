"""Rights and policies against Samba's own judgement: tokens, access checks, and which policies an account gets."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest

from audits import evidence
from checks.access import Access, access_is_granted
from checks.facts.directory_accounts import Account
from checks.facts.group_policy import Containers, Policies
from checks.facts.principals import Principals
from checks.facts.shares import FileRights, Shares
from checks.formats import access
from checks.formats import security_descriptor as sd
from checks.policy_planning import plan
from checks.questions import SmbSecurity

from .conftest import Ran, on_host

BITS = [1 << i for i in (*range(9), *range(16, 21))]
WELL_KNOWN = {"S-1-5-2", "S-1-5-15", "S-1-18-1"}  # how somebody logged on
# Samba makes the token of an account as for a logon, and checks every right by itself (libcli/security/access_check.c)
ORACLE = """
import base64, json
from samba import security
from samba.auth import system_session, user_session, AUTH_SESSION_INFO_AUTHENTICATED, AUTH_SESSION_INFO_DEFAULT_GROUPS
from samba.dcerpc import security as types
from samba.ndr import ndr_unpack
from samba.param import LoadParm
from samba.samdb import SamDB
lp = LoadParm(); lp.load_default()
db = SamDB(session_info=system_session(lp), lp=lp)
asked = json.loads(base64.b64decode(ASKED))
rights = [ndr_unpack(types.descriptor, base64.b64decode(d)) for d in asked["descriptors"]]
flags = AUTH_SESSION_INFO_AUTHENTICATED | AUTH_SESSION_INFO_DEFAULT_GROUPS
out = []
for dn in asked["accounts"]:
    token = user_session(db, lp_ctx=lp, dn=dn, session_info_flags=flags).security_token
    granted = []
    for descriptor in rights:
        mask = 0
        for bit in asked["bits"]:
            try:
                security.access_check(descriptor, token, bit)
                mask |= bit
            except Exception:
                pass
        granted.append(mask)
    out.append({"sids": [str(s) for s in token.sids], "granted": granted})
print(json.dumps(out))
"""


@pytest.fixture(scope="module")
def answers(clean: Ran) -> dict[Any, Any]:
    """Give what the audit was answered, by target and question."""
    records = evidence.read(clean.path / evidence.FILE).records
    return {key: record.answer.value for key, record in records.items() if record.answer.failure is None}


def fact(cls: Any, answers: dict[Any, Any], target: str = "school.test") -> Any:
    questions = cls.question if isinstance(cls.question, tuple) else (cls.question,)
    return cls.read(*(answers[target, question] for question in questions))


@pytest.fixture(scope="module")
def principals(answers: dict[Any, Any]) -> Principals:
    found = fact(Principals, answers)
    assert isinstance(found, Principals)
    return found


@pytest.fixture(scope="module")
def accounts(principals: Principals) -> list[Account]:
    known = principals.accounts
    return sorted((*known.users.values(), *known.computers.values()), key=lambda a: a.name)


def test_tokens_and_access_are_those_of_samba(
    answers: dict[Any, Any], principals: Principals, accounts: list[Account]
) -> None:
    shares = fact(Shares, answers, "files1")
    policies = fact(Policies, answers)
    descriptors = [s.descriptor for s in shares.all.values() if s.descriptor]
    descriptors += [sd.parse(base64.b64decode(v)) for (_, q), v in answers.items() if isinstance(q, SmbSecurity) and v]
    descriptors += [access.child(d, folder=False, owner=None, group=None) for d in descriptors]
    descriptors += [p.descriptor for p in policies.all if p.descriptor]
    packed = [base64.b64encode(sd.pack(d)).decode() for d in descriptors]
    assert len(descriptors) > 15
    asked = {"accounts": [a.dn for a in accounts], "descriptors": packed, "bits": BITS}
    said = base64.b64encode(json.dumps(asked).encode()).decode()
    script = base64.b64encode(ORACLE.replace("ASKED", repr(said)).encode()).decode()
    told = json.loads(on_host("dc1", f"echo {script} | base64 -d | python3 -"))
    pairs = 0
    for account, theirs in zip(accounts, told, strict=True):
        own = principals.logged_on(account.sid)
        assert own - WELL_KNOWN == set(theirs["sids"]) - WELL_KNOWN, account.name
        sids = own | (WELL_KNOWN & set(theirs["sids"]))
        token = access.Token(sids, takes_ownership="S-1-5-32-544" in sids)
        for descriptor, granted in zip(descriptors, theirs["granted"], strict=True):
            ours = access.check(descriptor, token).granted & sum(BITS)
            assert hex(ours) == hex(granted), (account.name, descriptor)
            pairs += 1
    assert pairs > 300


def test_policies_are_those_of_samba(answers: dict[Any, Any], principals: Principals, accounts: list[Account]) -> None:
    policies, containers = fact(Policies, answers), fact(Containers, answers)
    names = " ".join(f"'{a.name}'" for a in accounts)
    said = on_host(
        "dc1", f'for a in {names}; do echo "@@"; samba-tool gpo list "$a" -H ldap://dc1.school.test -P; done'
    )
    for account, lines in zip(accounts, said.split("@@")[1:], strict=True):
        theirs = set(re.findall(r"\{[0-9A-F-]{36}\}", lines.upper()))
        part = "machine" if account.kind == "computer" else "user"
        for policy in policies.all:
            told = plan(policy, containers, principals, account)
            if getattr(policy.version, part):  # Samba names policies too whose part is empty
                assert told.applies == (policy.guid in theirs), (account.name, policy.name, told)
            else:
                assert told.applies is False


# Real people do it: each right as an SMB client would use it, on a file that somebody else put there before
DRILL = """
umask 077; place=$(mktemp -d); cd $place; export KRB5CCNAME=$place/cc; echo hello > f
for u in sofie.maes daan.claes peter.coppens WHO; do
  samba-tool domain exportkeytab --principal=$u $place/$u.keytab >/dev/null 2>&1
done
as() { kinit -k -t $place/$1.keytab $1; }
can() {
  smbclient -N --use-krb5-ccache=$KRB5CCNAME //files1.school.test/$1 -c "$2" >out 2>&1 && ! grep -q NT_STATUS out &&
  echo yes || echo no
}
for pair in Docenten:sofie.maes Administratie:peter.coppens examens:daan.claes Software:peter.coppens; do
  share=${pair%:*}
  for u in WHO; do
    as ${pair#*:}; can $share "put f keuring-drill-$u"
    as $u
    echo "@ $share $u $(can $share ls) $(can $share "put f keuring-drill-own-$u")" \
      "$(can $share "get keuring-drill-$u x") $(can $share "put f keuring-drill-$u")" \
      "$(can $share "del keuring-drill-$u")"
  done
done
rm -r $place
"""
WHO = ("jan.peeters", "els.janssens", "lotte.willems", "anke.stevens")


def test_effective_access_is_what_people_can_really_do(answers: dict[Any, Any], principals: Principals) -> None:
    shares = fact(Shares, answers, "files1")
    script = base64.b64encode(DRILL.replace("WHO", " ".join(WHO)).encode()).decode()
    try:
        said = on_host("dc1", f"echo {script} | base64 -d | bash")
    finally:
        on_host("files1", "find /srv/shares -name 'keuring-drill*' -delete")
    told = [line.split()[1:] for line in said.splitlines() if line.startswith("@")]
    assert len(told) == 16
    for share, who, *really in told:
        descriptor = answers["files1", SmbSecurity(share)]
        want = Access(share=share, who=who, can=("list", "write", "read", "modify", "delete"))
        outcomes = access_is_granted(shares, FileRights.read(descriptor), principals, want)
        ours = [{True: "yes", False: "no"}[o.observed["access"]] for o in outcomes]
        assert ours == really, (share, who)
