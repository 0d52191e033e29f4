//! Authentication-Results: what our verifier wrote is believed, and nothing that a sender can put into it or beside it.

use perso_milter::policy::address::Address;
use perso_milter::policy::authres::{Authentication, AuthenticationMode, AuthenticationPolicy, Evidence};

const OURS: &str = "mx.example.org";
/// Who is impersonated.
const VICTIM: &str = "maman@famille.example";
const PASS: &[u8] = b"mx.example.org; dmarc=pass header.from=famille.example; spf=pass smtp.mailfrom=famille.example";

type Judgement = (Authentication, Authentication);

/// `data` is the value of a header, or what a sender put into one.
pub fn holds(data: &[u8]) {
    let alone = judge(&[(data, 0)]);
    check_source(data, alone);
    assert_eq!(judge(&[(data, 2)]), NOBODY, "too deep");
    // One header of ours is believed: whatever follows it changes nothing.
    assert_eq!(judge(&[(b"mx.example.org; none", 0), (data, 0), (PASS, 0)]), NOBODY, "a second header is believed");
    let followed = judge(&[(data, 0), (PASS, 0)]);
    let passed = judge(&[(PASS, 0)]);
    assert!(followed == alone || (alone == NOBODY && followed == passed), "neither the first nor the second header");
    assert!(names_us(data) || followed == passed, "a header of others hides ours");
    check_inside(data);
}

const NOBODY: Judgement = (Authentication::Missing, Authentication::Missing);

fn judge(headers: &[(&[u8], usize)]) -> Judgement {
    let policy = AuthenticationPolicy {
        mode: AuthenticationMode::Required,
        authserv_ids: vec![OURS.to_owned()],
        hops: 1,
        results: 1,
        forwarders: Vec::new(),
    };
    let mut evidence = Evidence::default();
    headers.iter().for_each(|(value, above)| evidence.add(&policy, value, *above));
    let victim = Address::parse(VICTIM).expect("an address");
    evidence.judge(&policy, Some(&victim), Some(&victim))
}

/// Whether our verifier's name stands there at all.
fn names_us(data: &[u8]) -> bool {
    String::from_utf8_lossy(data).to_lowercase().replace('\\', "").contains(OURS)
}

/// Where something is believed, our name, the method, its result and the domain are written there.
fn check_source(data: &[u8], judgement: Judgement) {
    if judgement == NOBODY {
        return;
    }
    let text: String = String::from_utf8_lossy(data).to_lowercase().replace('\\', "");
    let methods: &[&str] = if judgement.0 == Authentication::Missing { &["spf", "dkim", "dmarc"] } else { &["spf"] };
    assert!(names_us(data), "not our verifier");
    assert!(text.contains("pass") && methods.iter().any(|method| text.contains(method)), "no method passed");
    // The registered domain vouches for what stands below it; a domain may be written in Unicode.
    assert!(text.contains("famille") || !text.is_ascii(), "for another domain");
}

/// What a sender writes reaches the header in quoted strings and comments: it proves nothing there.
fn check_inside(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let escape = |specials: &[char]| -> String {
        text.chars().flat_map(|c| specials.contains(&c).then_some('\\').into_iter().chain([c])).collect()
    };
    let (quoted, comment) = (escape(&['"', '\\']), escape(&['(', ')', '\\']));
    for value in [
        format!("{OURS}; spf=fail smtp.mailfrom=\"{quoted}\"@evil.example"),
        format!("{OURS}; spf=pass smtp.mailfrom=\"{quoted}\"@evil.example; dmarc=fail header.from=famille.example"),
        format!("{OURS}; spf=fail (sender says {comment}) smtp.mailfrom={VICTIM}"),
        format!("{OURS}; dkim=fail reason=\"{quoted}\" header.d=famille.example"),
        format!("{OURS} ({comment}); dmarc=none header.from=famille.example"),
    ] {
        assert_eq!(judge(&[(value.as_bytes(), 0)]), NOBODY, "{value}");
    }
}
