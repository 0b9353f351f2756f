package blameless

import (
	"regexp"
	"strings"
)

// The vocabulary is written once here and composed into the patterns of the rules. A pattern names a part of it in
// braces: {person} is a person or group as a subject, {byperson} one after "by", {noun} a person without pronouns,
// {group} a place or department that stands for people where it does what people do ({heed}, {heeded}), {adv} any
// run of adverbs, {done} a past participle, {det} an article or similar.
var vocabulary = func() *strings.Replacer {
	list := func(words string) string { return `(?:` + strings.Join(strings.Fields(words), "|") + `)` }
	det := list(`the an? our their your his her my this that these those one two three some any each every no another both several many most all which`)
	adjective := list(`on-call oncall on-duty primary secondary senior junior responsible inexperienced experienced untrained new old tired same other whole entire
		lead principal chief duty room control-room call-centre customer-service customer store yard night day late early weekend first second third remote local incoming outgoing previous next single
		database network platform infrastructure infra security payments? storage backend frontend release operations ops support site reliability
		devops data systems? cloud production qa test field service maintenance plant shift control ward software hardware careless
		settlement trading dealing clearing dispatch help reconciliation flight ground tower signal gate check-in ticket baggage pharmacy triage
		novice competent human product engineering core response incident deploy(?:ment)? billing search checkout web mobile api identity`)
	role := list(`engineers? operators? responders? developers? devs? programmers? coders? sres? dbas? admins? administrators? sysadmins? teams? staff
		on-calls? oncalls? on-caller deployers? committers? maintainers? authors? reviewers? approvers? observers? testers? architects? analysts? technicians? techs?
		electricians? contractors? consultants? vendors? suppliers? colleagues? co-?workers? teammates? employees? personnel interns? apprentices?
		trainees? newcomers? humans? persons? people individuals? folks guys? nurses? doctors? surgeons? clinicians? pharmacists? physicians?
		pilots? co-?pilots? captains? crews? crewm[ae]n mechanics? clerks? cashiers? tellers? traders? foremen foreman planners? welders? dispatchers?
		leadership management engineering devops commanders? facilitators? ctos? ceos? directors? vps? pms? noc ops anyone anybody someone somebody everyone everybody nobody none
		desks? moderators? stewards? accountants? auditors? bookkeepers? underwriters? registrars? midwives midwife porters? paramedics? radiographers?
		helpdesk specialists? practitioners? supervisors? leads? shift`)
	compound := `(?:(?:product|project|engineering|incident|shift|line|duty|release|account|store|plant|night|case|ward|site|office|change|operations|it|warehouse)\s+managers?` +
		`|no[ -]one|new\s+(?:hires?|joiners?|starters?)|(?:team|staff|crew)\s+members?|(?:truck|bus|train|crane|forklift|delivery)\s+drivers?|air\s+traffic\s+controllers?|(?:support|gate|ticket|check-in|call|ground|service|booking|station)\s+agents?|(?:duty|flight|ground|tower|signal|area|credit|stock|shift|train)\s+controllers?` +
		`|game\s+masters?|(?:raid|guild|community|floor|bed|stage|theatre|practice|branch|back-office)\s+(?:leads?|managers?)|(?:baggage|cargo|claims)\s+handlers?` +
		`|(?:incident|conference)\s+(?:bridge|call)|bridge\s+call|(?:war|situation|control)\s+room|(?:back|registrar's|registry|election|front|booking|dispatch)[\s-]office|pairs?\s+of\s+eyes|whoever(?:\s+[\w'-]+){0,5}?|@[a-z][\w-]*)`
	named := `(?-i:Alice|Bob|Carol|Dave|David|Eve|John|Jane|Mary|Mike|Michael|Sarah|Tom|Anna|Peter|Maria|Priya|Wei|Susan|James|Robert|Emma|Olivia|Liam|Noah|Ahmed|Fatima|Yuki|Raj|Kevin|Laura|Paul|Steve|Steven|Chris|Karen|Linda|Daniel|Sam|Alex|Ben|Kate|Lisa|Nina|Omar|Ravi)`
	head := `(?:(?:` + det + `\s+)?(?:(?:two|three|four|five|six|\d+)\s+)?(?:` + adjective + `\s+){0,4}(?:` + compound + `|` + role + `)|` + named + `)`
	some := `(?:(?:members?|one|some|none|most|all|several|each|both|any|many|half|no\s+one|nobody|someone|anyone|everyone|two|three)\s+(?:of|on|in|from)\s+)?`
	after := `(?:\s+\([^()]{1,40}\))?(?:\s+(?:on|at|in|from|of|for|behind|under|with)\s+(?:` + det + `\s+)?[\w-]+(?:\s+[\w-]+){0,2}?)?(?:,?\s+who(?:\s+[\w'-]+){1,8}?,?)?`
	noun := some + head
	pronoun := `(?:(?:he|she|they|we|you|who|(?-i:I))(?:'d|'ve)?|(?:none|some|all|most|both|one|neither|two|several|many|any)\s+of\s+(?:us|them|you))`
	subject := `(?:` + noun + after + `|` + pronoun + `)`
	irregular := list(`been begun broken brought built bought caught chosen come cut done drawn driven fallen felt found forgotten given gone got gotten grown held heard
		hidden hit kept known laid led left let lost made meant met paid put quit read run said seen sent set shown shut spoken spent split stood stuck
		taken taught told thought thrown understood undone woken won worn written rewritten overseen rerun reset foreseen withheld withdrawn spun sat
		sought bound dealt dug frozen rung rebuilt double-checked overridden`)
	done := `(?:` + irregular + `|(?:re-|double-|pre-|over-|cross-)?[a-z]+ed)`
	adv := `(?:,?\s+(?:[a-z]+ly|also|just|then|never|ever|even|still|again|once|too|all|both|themselves|himself|herself|ourselves|myself|yourself|perhaps|maybe|of course|in (?:hindsight|retrospect|turn)` +
		`|at least|instead|always|not|by then|later|first|soon|sooner|earlier|often|twice|somehow|thus|therefore|however|have|had|has|already|now|did|well|at that (?:point|time|moment)),?)*`
	// A department goes by a capital and no article: "Operations' failure" is that of people, "the operations' failure" is not.
	department := `(?-i:Operations|Ops|Legal|Finance|Procurement|Marketing|HR)`
	departments := `(?:` + department + `(?:'s?)|(?-i:Support|Security|Compliance|Sales)(?:'s?))`
	// A place or a part of the company stands for the people in it only where it does what people alone do: a bridge may forward, and
	// the storage may fail to answer.
	group := `(?:(?:the|our)\s+(?:bridge|call|room|floor)|(?-i:Operations|Ops|Support|Security|Compliance|Sales|Platform|Infrastructure|Infra|Payments|Networking|Product|IT|QA|Storage|Network|Logistics|Facilities|Legal|Finance|Procurement|Marketing|HR))`
	heed := `(?:page|tell|notice|escalate|ask|warn|speak\s+up|raise|reali[sz]e|inform|consult|double-check|challenge|object|think|consider|spot|question|anticipate|appreciate|pick\s+up\s+on|push\s+back|step\s+in)`
	heeded := `(?:paged|told|noticed|escalated|asked|warned|spoken\s+up|raised|reali[sz]ed|informed|consulted|double-checked|challenged|objected|thought|considered|spotted|questioned|anticipated|appreciated|known|picked\s+up\s+on|pushed\s+back|stepped\s+in)`
	return strings.NewReplacer(
		"{person}", subject,
		"{byperson}", `(?:`+noun+`|us|him|me|`+department+`)`,
		"{noun}", noun,
		"{owner}", `(?:(?:`+noun+`(?:'s?|s')|`+departments+`|my|your|his|her|our|their|whose)(?:\s+own)?)`,
		"{group}", group,
		"{heed}", heed,
		"{heeded}", heeded,
		"{adv}", adv,
		"{done}", done,
		"{det}", det,
		"{shouldhave}", `(?:should(?:(?:n'?t)?(?:'ve|`+adv+`\s+(?:have|of)))|should've|shouldn't've|shoulda|ought(?:n't)?\s+(?:not\s+)?to(?:'ve|`+adv+`\s+have)|(?:was|were)\s+supposed\s+to\s+have)`,
		"{couldhave}", `(?:(?:could|would|might)(?:n'?t)?(?:'ve|`+adv+`\s+(?:have|of))|coulda|woulda)`,
		"{procedure}", `(?:procedures?|runbooks?|process(?:es)?|protocols?|polic(?:y|ies)|checklists?|playbooks?|rules?|guidelines?|sops?|instructions?|guidance|change control|safeguards?|standing orders?|change (?:advisory )?board|four-eyes(?: (?:rule|principle|check))?|approval (?:chain|step)|limit sheets?|`+
			`(?:restart|start-up|startup|shutdown|failover|release|boot) (?:sequence|order))`,
		"{what}", `(?:production|prod|everything|things|(?:the|our|this|its|their)\s+(?:[\w-]+\s+){0,2}?(?:build|site|service|cluster|exports?|imports?|reports?|feeds?|jobs?|batch|registry|databases?|db|deploy\w*|pipeline|checkout|failover|login|replication|config\w*|website|api|apps?|applications?|systems?|platform|network|dns|backups?|tests?|main|trunk|staging|environment|routing|auth\w*|payments?|billing|search|ledger|line|server|servers|region|index|store|queue|cache|live\s+\w+|primary|replica))`,
		"{harm}", `(?:outage|incident|failure|fault|bug|regression|error|defect|problem|issue|crash|disruption|degradation|downtime|breakage|mess|accident|mistake|delay|loss|corruption|spike|typo|leak|disaster|misconfiguration)s?`,
	)
}()

var (
	// These words are read as a participle only when what follows cannot be the thing owned: "should have limited
	// access" is about having, "should have limited the batch" is about doing.
	ownable = `(?:limited|dedicated|shared|fixed|detailed|elevated|restricted|increased|reduced|required|trusted|advanced|managed|named|mixed|unlimited|combined|extended|repeated|signed|hosted|automated|associated|related|unified|isolated|separated|installed|enabled|configured|defined|documented|embedded|encrypted|updated|improved|distributed|replicated|linked|closed|need|speed|seed|feed|embed|bed|red|indeed|hundred|sacred|breed|read|set|cut|run|split|left|shut|lost|put|hit|matching|nested|predefined|granted|escaped|unused|lead|led)`

	objectOf = regexp.MustCompile(`(?i)\b(?:to|for|from|of|by|with|about|between|against|via)\s+(?:(?:the|an?|our|their|your|his|her|this|that)\s+(?:[\w-]+\s+)?)?$`)
	owns     = regexp.MustCompile(`(?i)(?:'s|s')\s`)
	pronoun  = regexp.MustCompile(`(?i)^(?:he|she|they|we|i|you|who)\b`)
	// Software that is called like a person.
	softwareOperator = regexp.MustCompile(`(?i)\b(?:kubernetes|k8s|etcd|prometheus|\w*sql|postgres\w*|kafka|strimzi|redis|custom|logical|comparison|boolean|binary|unary|ternary|assignment|pipe|arithmetic|openshift|helm|istio|grafana|cluster|rook|vault|mongo\w*|elastic\w*|argo\w*|bitwise|concatenation|__)\s+(?:the\s+)?$`)
	software         = regexp.MustCompile(`(?i)\b(?:operators?|observers?|dispatchers?|supervisors?|mechanics?|leads?|commanders?|clerk|tests?|ops|vault|maintainers?|shift)\b`)
	outsiders        = regexp.MustCompile(`(?i)\b(?:users?|customers?|clients?|visitors?|shoppers?|subscribers?|passengers?|patients?|players?|callers?|merchants?|viewers?|tenants?|guests?|riders?|members?|students?|people|anyone|those|everyone|readers?|buyers?|travellers?|attackers?),?\s+$`)
	indirect         = regexp.MustCompile(`(?i)\b(?:ask\w*|know|find(?:ing)?\s+out|determin\w+|identify\w*|establish\w*|question\s+is|wonder\w*|investigat\w+|unclear|clear|decid\w+)\s+$`)
	things           = regexp.MustCompile(`(?i)\b(?:pods|replicas|probes|containers|nodes|requests|clients|servers|connections|alerts|checks|services|targets|jobs|tasks|workers|queries|retries|consumers|producers|instances|hosts|calls|writes|reads|messages|processes|scripts|builds|tests|controllers|shards|brokers|sidecars|exporters|partitions|machines|routers|switches|packets|health checks|proxies|volumes|disks|timers|users|customers|pipelines|deployments|certificates|keys)\b`)
	people           = regexp.MustCompile(vocabulary.Replace(`(?i)\b{noun}\b`))
	hypothetical     = regexp.MustCompile(`(?i)\b(?:if|when|in case|unless|whether)\s+$`)
)

// actor reports whether the person that begins at start is someone who acts in this story: not the object of a
// preposition, not a piece of software with a person's name, not the users it was done to, and not a "they" that
// stands for things. What somebody is said to own, such as a failure, is theirs after a preposition too.
func actor(sentence string, start, end int) bool {
	before, words := sentence[:start], sentence[start:end]
	lower := strings.ToLower(words)
	switch {
	case strings.HasPrefix(lower, "who") && (outsiders.MatchString(before) || indirect.MatchString(before)):
		return false
	case strings.HasPrefix(lower, "who ") && strings.TrimSpace(before) == "":
		// A question, which has rules of its own.
		return false
	case strings.HasPrefix(lower, "they") || strings.HasPrefix(lower, "their"):
		return !things.MatchString(before) || people.MatchString(before)
	case strings.HasPrefix(lower, "you") && hypothetical.MatchString(before):
		return false
	case pronoun.MatchString(words):
		return true
	case objectOf.MatchString(before) && !owns.MatchString(words):
		return false
	case software.MatchString(strings.SplitN(words, " ", 2)[0]) && softwareOperator.MatchString(before):
		return false
	}
	return true
}
