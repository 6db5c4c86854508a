"""The phrases of the embedded complaints world: products, issues, and other sentences.

In a phrase `[a|b]` is one of a and b, and `{name}` a slot: a group of synonyms (`WORDS`), or
something that `ddiv.data.worlds.complaints` fills in, such as `{it}`, the product as "my car loan".
Formal phrases are commoner in letters, plain ones on the phone.
"""

from __future__ import annotations

from typing import NamedTuple


class Product(NamedTuple):
    """A product's own names (countable, singular), names that it shares with others, and its uses.

    Its own names are formal or plain.
    """

    formal: tuple[str, ...]
    plain: tuple[str, ...]
    shared: tuple[str, ...]
    uses: tuple[str, ...]


class Issue(NamedTuple):
    """Sentences that state an issue (each with {it} or {one}), formal or plain.

    `passing` are noun phrases for mentioning it in passing.
    """

    formal: tuple[str, ...]
    plain: tuple[str, ...]
    passing: tuple[str, ...]


# Compact tables: the formatter would put every word on a line of its own.
# fmt: off
WORDS = {
    "charged": ("charged", "billed", "debited"),
    "noticed": ("noticed", "discovered", "found", "saw"), "refused": ("refused", "declined"),
    "wrong": ("wrong", "incorrect", "false", "inaccurate"), "money": ("money", "funds", "cash"),
    "firm": ("company", "bank", "lender", "institution", "firm"),
    "rep": ("representative", "employee", "supervisor", "manager", "clerk"),
    "problem": ("problem", "matter", "situation"), "called": ("called", "phoned", "contacted"),
    "sent": ("sent", "mailed", "forwarded"), "took": ("took", "withdrew", "collected"),
    "froze": ("froze", "locked", "suspended", "blocked", "restricted"),
    "bill": ("bill", "statement", "invoice"),
    "someone": ("someone", "somebody", "a stranger", "a thief"),
    "fee": ("fee", "charge", "penalty"), "fees": ("fees", "charges", "penalties"),
    "twice": ("twice", "two times"), "promised": ("promised", "advertised", "offered"),
    "misled": ("misled", "deceived", "misinformed"), "terms": ("terms", "conditions"),
    "denied": ("denied", "rejected", "declined"), "papers": ("papers", "documents", "forms"),
    "refund": ("refund", "reimbursement", "repayment"), "return": ("return", "refund", "reimburse"),
    "received": ("received", "got"), "asked": ("asked for", "requested", "demanded"),
    "fix": ("fix", "correct", "resolve", "settle"),
    "fixed": ("fixed", "corrected", "resolved", "settled"),
    "angry": ("angry", "upset", "frustrated", "furious"),
    "data": ("data", "information", "details"), "private": ("private", "personal", "confidential"),
    "showed": ("showed", "listed"), "fell": ("fell", "dropped", "sank"),
    "agreement": ("agreement", "contract"), "website": ("website", "app", "portal"),
    "constant": ("constant", "endless", "repeated"), "rude": ("rude", "aggressive", "hostile"),
    "help": ("help", "assistance"), "gone": ("gone", "missing", "lost"),
    "rose": ("rose", "increased"), "reason": ("reason", "explanation", "cause"),
    "transaction": ("transaction", "purchase", "transfer", "withdrawal"), "owed": ("owed", "due"),
    "explain": ("explain", "justify"),
    "immediately": ("immediately", "promptly", "quickly", "soon"),
    "credited": ("credited", "posted", "applied", "recorded"),
    "said": ("said", "stated", "claimed", "insisted"), "letter": ("letter", "notice", "message"),
    "past_due": ("overdue", "late", "unpaid", "delinquent"),
}

# fmt: on

SYNONYMS: tuple[tuple[str, ...], ...] = tuple(
    group
    for group in (tuple(word for word in words if " " not in word) for words in WORDS.values())
    if len(group) > 1
)

# fmt: off
PRODUCTS = {
    "credit card": Product(
        ("credit card", "rewards card", "travel card", "charge card"),
        ("visa card", "store card", "points card", "platinum card"),
        ("card", "line", "account"),
        ("I use it for groceries and gas.", "I pay the full balance every month.",
         "I got it for the miles and the points.", "I showed it at the hotel.",
         "The limit is {amount}.", "I carry a balance at {percent}.")),
    "prepaid card": Product(
        ("prepaid card", "gift card", "payroll card", "reloadable card"),
        ("cash card", "benefits card", "load card", "paycheck card"),
        ("card", "account"),
        ("My wages are loaded on it.", "I load {amount} on it every month.",
         "I use it for groceries and gas.", "I bought it at the drugstore.",
         "I gave it to my son for his trip.", "I activated it at the store.")),
    "checking account": Product(
        ("checking account", "bank account", "joint account", "current account"),
        ("debit account", "everyday account", "household account", "paycheck account"),
        ("account", "card"),
        ("My salary is paid into it.", "My rent and my bills are paid from it.",
         "I write checks from it.", "My wages are loaded on it.", "I opened it at the branch.",
         "My wife and I share it.")),
    "savings account": Product(
        ("savings account", "money market account", "deposit account", "certificate of deposit"),
        ("rainy day account", "retirement account", "college account", "deposit certificate"),
        ("account",),
        ("I put aside {amount} in it every month.", "It pays {percent} of interest.",
         "I opened it at the branch.", "It holds what my mother left me.",
         "I keep it for my old age.", "My wife and I share it.")),
    "mobile wallet": Product(
        ("mobile wallet", "payment app", "digital wallet", "transfer service"),
        ("money app", "phone wallet", "cash app", "send app"),
        ("account",),
        ("I use it to send money to my family.", "I split the rent with my friends through it.",
         "I sell my crafts through it.", "I load {amount} on it every month.",
         "I use it on my phone.", "I showed it at the hotel.")),
    "mortgage": Product(
        ("mortgage", "home loan", "refinance loan", "mortgage loan"),
        ("house loan", "house note", "construction loan", "home note"),
        ("loan", "account"),
        ("We bought our house with it.", "The taxes and the insurance are paid from escrow.",
         "It runs for thirty years at {percent}.", "I pay {amount} on it every month.",
         "It was sold to another servicer.", "The roof had to be repaired.")),
    "car loan": Product(
        ("car loan", "auto loan", "vehicle loan", "dealer loan"),
        ("truck loan", "car note", "truck note", "used car loan"),
        ("loan", "account"),
        ("I drive to work every day.", "The dealer arranged it.",
         "It runs for five years at {percent}.", "I pay {amount} on it every month.",
         "They hold the title.", "The engine had to be repaired.")),
    "student loan": Product(
        ("student loan", "education loan", "tuition loan", "graduate loan"),
        ("college loan", "school loan", "degree loan", "campus loan"),
        ("loan", "account"),
        ("I graduated three years ago.", "I am a teacher and in an income plan.",
         "It was sold to another servicer.", "My son is still at the university.",
         "My father is the cosigner.", "It paid for my books and my room.")),
    "payday loan": Product(
        ("payday loan", "cash advance", "short term loan", "title loan"),
        ("online loan", "quick loan", "emergency loan", "payday note"),
        ("loan", "account"),
        ("I borrowed {amount} until my next paycheck.", "They hold the title.",
         "It was to be paid back in two weeks.", "The interest is {percent}.",
         "I took it when my son was ill.", "My wages were short that week.")),
    "credit line": Product(
        ("credit line", "line of credit", "equity line", "revolving line"),
        ("overdraft line", "business line", "backup line", "home line"),
        ("line", "loan", "account"),
        ("I draw on it for my shop.", "The limit is {amount}.", "The roof had to be repaired.",
         "I carry a balance at {percent}.", "It is secured by our house.",
         "My wages were short that week.")),
}

ISSUES = {
    "unexpected fee": Issue(
        ("{they} {charged} [a service|an annual|a late|an extra] {fee} of {amount} on {it} without "
             "[prior|any] notice.",
         "A {fee} of {amount} [was added to|appeared on] {it}, to which I had never agreed.",
         "I was {charged} {amount} in [interest|{fees}] on {it} although nobody had mentioned it.",
         "The cost of {it} {rose} by {amount} because of [hidden|new|undisclosed] {fees}.",
         "{they} raised the [interest|rate] on {it} in {month} and gave no {reason}."),
        ("I keep [paying|losing] {amount} a month in {fees} on {it} [for nothing|and nobody says "
             "why].",
         "Out of nowhere there is a {amount} {fee} on {it}.",
         "{they} [tacked|piled] {amount} of extra {fees} onto {it}.",
         "What is this {amount} {fee} on {it} for?"),
        ("a late fee", "an annual charge", "an undisclosed fee",
         "an extra fee without prior notice", "a small penalty", "{fees} that {rose} too much",
         "a raised rate", "a fee that I had never agreed to", "some hidden {fees}")),
    "payment not credited": Issue(
        ("I paid {amount} [towards|for] {it} on {date}, [but|and] the payment was never "
             "{credited}.",
         "My payment of {amount} on {it} cleared on {date} and has still not been {credited}.",
         "{they} {said} that {it} was {past_due} although I had paid on {date}.",
         "{they} marked {it} as {past_due} although I have [a receipt|proof] for {amount}.",
         "The {amount} that I {sent} for {it} [cannot be found|went to another account]."),
        ("I paid the {amount} on {it} and it just [vanished|disappeared|never showed up].",
         "They say I never paid {it}, but I did on {date}.",
         "My {amount} for {it} is {gone} in their system.",
         "I sent in the {amount} for {it} and they lost it."),
        ("a missing payment", "a payment that was not {credited}", "a lost receipt",
         "an old balance marked as {past_due}", "a payment in the mail",
         "a check that never cleared", "money sent towards the wrong account", "a late payment")),
    "charged twice": Issue(
        ("{they} {took} {amount} {twice} for {it}.",
         "The same {amount} [debit|payment|charge] appeared {twice} on {it}.",
         "On {date} a [second|duplicate] [debit|withdrawal|charge] of {amount} was made on {it}.",
         "I was {charged} double on {it}, {amount} instead of half.",
         "The {bill} for {it} was too high by {amount} because one [payment|purchase] was counted "
             "{twice}."),
        ("{they} ran the same {amount} payment on {it} [again|{twice}].",
         "I got hit with {amount} {twice} on {it}.",
         "My {amount} went out of {it} two days in a row.",
         "They double billed me {amount} on {it}."),
        ("a double charge", "a duplicate payment", "a {bill} that was too high",
         "a second withdrawal", "the same bill again", "a purchase that was counted {twice}",
         "a payment {charged} {twice}", "a payment that they {took} again")),
    "unknown transactions": Issue(
        ("{someone} used {it} to spend {amount} without my [permission|consent|knowledge].",
         "I {noticed} a {transaction} of {amount} on {it} that I [did not make|never authorized|do "
             "not recognize].",
         "{it} was [used|opened] [fraudulently|by {someone}] on {date}, and {amount} is {gone}.",
         "A {transaction} of {amount} was made on {it} in a city where I have never been.",
         "I reported fraud on {it}, [but|and] {they} {denied} my claim for {amount}."),
        ("Some crook ran up {amount} on {it}.", "I got scammed out of {amount} through {it}.",
         "That {amount} {transaction} on {it} was not me.",
         "{someone} hacked {it} and {took} {amount}."),
        ("an old fraud claim", "a scam", "{someone} in another city", "a fraud alert",
         "a {transaction} that I did not make", "a {transaction} that I did not recognize",
         "a thief who wanted to spend my money", "a hacked e-mail")),
    "frozen account": Issue(
        ("{they} {froze} {it} on {date} without [warning|{reason}].",
         "Since {date} I cannot use {it} because it is under review.",
         "{they} closed {it} and kept my {amount}.",
         "A hold was placed on {it}, so that {amount} of mine cannot be used.",
         "My access to the {money} in {it} was denied on {date} for no stated {reason}."),
        ("{they} shut down {it} and I can't get at my {amount}.",
         "I'm locked out of my {money}, {it} is dead since {date}.",
         "{they} put some kind of hold on {it}.", "They cut off {it} overnight."),
        ("a hold that was placed by mistake", "an account that they {froze}",
         "an account under review", "no access to my {money}", "a closed branch", "a warning",
         "a card that they {froze}", "some {money} of mine that was kept")),
    "misleading terms": Issue(
        ("{they} {promised} [a rate of {percent}|a bonus of {amount}|no {fees}] for {it}, but the "
             "{agreement} differed.",
         "I was {misled} about the {terms} of {it} when I signed the {agreement} on {date}.",
         "The [advertisement|brochure|offer] for {it} said {percent}, yet I am paying more.",
         "{person} assured me that {it} would cost no more than {amount}, which was not true.",
         "The bonus of {amount} that came with {it} was never paid."),
        ("{they} lied to me about {it}.",
         "{it} was a bait and switch, {amount} {promised} and nothing came.",
         "The small print of {it} says something else than what they told me.",
         "They talked me into {it} with a fake {percent}."),
        ("an advertised bonus", "a special offer", "the small print",
         "the {terms} of the {agreement}", "a bonus that was not paid",
         "an advertisement that {misled} me", "paying more than they {promised}",
         "a brochure that was not true")),
    "wrong credit report": Issue(
        ("{they} reported {it} as {past_due} to the credit bureaus [by mistake|although it was "
             "paid].",
         "My credit [report|file] {showed} {it} with a {wrong} balance of {amount}.",
         "My credit score {fell} by {points} points because of {wrong} {data} about {it}.",
         "I disputed the entry for {it} with the bureau, and {they} confirmed it without checking.",
         "A {wrong} entry about {it} has been on my [report|file] since {date}."),
        ("{they} [ruined|wrecked] my credit over {it}.",
         "My score tanked {points} points because of {it}.",
         "{it} shows up on my report with {amount} and it is not right.",
         "The bureaus have {it} down as {past_due}."),
        ("a {wrong} entry on my credit report", "my credit score", "a disputed entry",
         "{wrong} {data} in my file", "an old default", "the credit bureaus",
         "a bureau that confirmed the {wrong} name", "a score that {fell}")),
    "slow application": Issue(
        ("I applied for {one} on {date} and have heard nothing.",
         "My application for {one} was {denied} although my income is good.",
         "{they} {asked} the same {papers} again before approving {it}.",
         "{they} needed [three|five|six] [weeks|months] to process {it}.",
         "I was [denied|refused] {one} without any {reason} on {date}."),
        ("I've been waiting since {month} for {one}.", "They keep wanting more {papers} for {it}.",
         "{they} turned me down for {one} and won't say why.",
         "How long does it take to get {one}?"),
        ("an application", "{papers} that they {asked}", "a proof of income", "a credit check",
         "an approval letter", "six months without a decision",
         "three weeks to process my {papers}", "{papers} needed before a meeting")),
    "refund refused": Issue(
        ("{they} {refused} to {return} the {amount} that I overpaid on {it}.",
         "I cancelled {it} on {date} and never {received} my {refund} of {amount}.",
         "The {refund} of {amount} promised for {it} has not arrived.",
         "I am {owed} {amount} from {it}, and {they} will not pay.",
         "{they} closed my claim for a {refund} of {amount} on {it}."),
        ("They owe me {amount} back on {it} and keep stalling.", "Where is my {amount} from {it}?",
         "I want my {amount} back from {it}.", "They won't give back the {amount} from {it}."),
        ("a {refund}", "a returned purchase", "a cancelled order", "money that I had overpaid",
         "money that I was {owed}", "a {refund} that had not arrived", "a claim for a {refund}",
         "money that they did not {return}")),
    "harassing calls": Issue(
        ("{they} {called} me [every day|ten times a day|at work|at night] about {it}.",
         "A {rude} collector threatened me over {amount} on {it}.",
         "{they} {called} my [employer|mother|neighbors] about {it}.",
         "I receive {constant} [calls|letters|messages] demanding {amount} for {it}.",
         "Despite my written request {they} would not stop calling about {it}."),
        ("They blow up my phone over {it}.", "{they} won't leave me alone about {it}.",
         "Some {rude} guy yells at me for {amount} on {it}.",
         "The phone rings all day because of {it}."),
        ("a collector", "a {rude} call", "{constant} sales calls", "letters demanding money",
         "calls at night", "a written request", "being threatened by a {rude} man",
         "people who would not stop calling", "the messages that I receive")),
    "data shared": Issue(
        ("{they} {sent} the [{bill}|records] of {it} to [a stranger|another customer|the wrong "
             "address].",
         "My {private} {data} from {it} [leaked in a breach|ended up with third parties].",
         "{person} disclosed the [balance|{data}] of {it} to my [employer|mother|neighbors].",
         "{they} shared my {data} about {it} without my [permission|consent|knowledge].",
         "Another customer could see my name and address in {it}."),
        ("{they} gave out my {private} stuff from {it}.", "My neighbor got my mail about {it}.",
         "Everybody can see my {data} in {it}.", "They told my boss all about {it}."),
        ("a data breach", "my {private} {data}", "a letter for my neighbor", "records that leaked",
         "a disclosed address", "what third parties could see", "{data} that they shared",
         "another customer who could see my name")),
    "login trouble": Issue(
        ("I cannot [log in|sign in] on the {website} for {it}.",
         "The [password|code] for {it} is [rejected|not accepted] on the {website}.",
         "The {website} shows an error whenever I open {it}.",
         "{they} {sent} the security code for {it} to an old [phone number|address].",
         "The {website} for {it} has not worked since {date}."),
        ("The {website} kicks me out when I open {it}.", "I can't get into {it} on my phone.",
         "My password for {it} is no good anymore.", "I'm stuck on the login page of {it}."),
        ("a forgotten password", "the {website}", "an error on the {website}", "a security code",
         "a new phone number", "a code that was not accepted", "a {website} that never worked",
         "no way to log in or sign in")),
}

# Further facts of the case: each sentence goes with several issues.
EVIDENCE = (
    ("I {noticed} it on the {bill} of {date}.",
     ("unexpected fee", "charged twice", "unknown transactions", "payment not credited")),
    ("The balance is {amount} higher than it should be.",
     ("unexpected fee", "charged twice", "payment not credited", "wrong credit report")),
    ("Nobody could tell me where the {money} went.",
     ("payment not credited", "unknown transactions", "refund refused", "frozen account")),
    ("I could not pay my rent.",
     ("frozen account", "login trouble", "charged twice", "unknown transactions",
      "slow application")),
    ("Another lender {denied} me because of it.",
     ("wrong credit report", "slow application", "payment not credited", "harassing calls")),
    ("I have the signed {agreement} in front of me.",
     ("misleading terms", "unexpected fee", "refund refused", "harassing calls")),
    ("I never gave anybody my password.",
     ("unknown transactions", "login trouble", "data shared", "frozen account")),
    ("I had to change my phone number.",
     ("harassing calls", "data shared", "login trouble", "unknown transactions")),
    ("They wanted my social security number again.",
     ("data shared", "slow application", "login trouble", "frozen account")),
    ("They added a late {fee} on top.",
     ("payment not credited", "login trouble", "harassing calls", "unexpected fee")),
    ("I {received} a {letter} that my claim was closed.",
     ("refund refused", "unknown transactions", "wrong credit report", "charged twice")),
    ("I uploaded my {papers} three times.",
     ("slow application", "frozen account", "login trouble", "wrong credit report")),
    ("The recording of the call will prove it.",
     ("misleading terms", "harassing calls", "refund refused", "data shared")),
    ("Nothing of this was in the {agreement}.",
     ("unexpected fee", "misleading terms", "data shared", "slow application")),
)

OPENINGS = (
    "I am writing about {it} with {company}.", "This [complaint|letter] concerns {it}.",
    "I have a problem with {it}.", "I am a customer of {company} and have {it}.",
    "I wish to complain about {company} and {it}.",
    "For [two|three|five] years I have had {one} with {company}.",
    "My name is {person} and this is about {it}.",
)

OTHER_PRODUCT = (
    "My {other} with them has never been a problem.",
    "I also have {one_other} with {company}, which works fine.",
    "I had to use my {other} [instead|in the meantime].", "{they} offered me {one_other} instead.",
    "At first {person} looked up my {other} by mistake.", "They mixed it up with {one_other}.",
    "My [sister|brother|father] has {one_other} there and is content.",
    "I only wanted to ask about my {other} that day.",
)

OTHER_ISSUE = (
    "Last year there was {passing}, but that was {fixed}.", "This is not about {passing}.",
    "{they} answered as if I had complained about {passing}.",
    "{person} kept talking about {passing}.",
    "My [sister|brother|father] once had {passing} with them.",
    "I could live with {passing}, but not with this.", "They blamed {passing} at first.",
)

STORY = (
    "I {called} [customer service|the branch|them] on {date} and spoke with {person}.",
    "A {rep} told me to [wait|be patient|call again].",
    "I have been a [loyal|good] customer for [ten|twelve|twenty] years.",
    "I am retired and live on a pension.", "I am a single mother of two.",
    "I spent [two|three|four] hours on hold.",
    "The {rep}, {person}, was [kind|{rude}] but could not [help|do anything].",
    "I was transferred from one {rep} to another.", "They gave me a case number and hung up.",
    "I wrote to them on {date} without an answer.", "{person} promised to call back and never did.",
    "I work two jobs and have no time for this.", "I lost my job in {month}.",
)

DEMANDS = (
    "Please {fix} this {problem} {immediately}.", "I ask for your {help}.",
    "I want this {fixed} {immediately}.", "I expect an answer in writing.",
    "I am {angry} about this.", "I will close everything and [leave|go elsewhere].",
    "I ask them to {explain} it and to apologize.", "This is [not right|unfair|a shame|theft].",
    "Thank you for your {help}.", "I would be grateful for an answer.",
    "I have [contacted a lawyer|told the attorney general].", "Sincerely, {person}.",
    "Regards, {person}.",
)

FIRST_NAMES = (
    "Maria", "James", "Linda", "Robert", "Susan", "David", "Karen", "Carlos", "Angela", "Kevin",
    "Denise", "Paul", "Nina", "Omar", "Grace", "Victor", "Helen", "Marcus", "Yolanda", "Peter",
    "Aisha", "Thomas", "Rosa", "Walter",
)

LAST_NAMES = (
    "Lopez", "Miller", "Johnson", "Nguyen", "Carter", "Patel", "Brooks", "Rivera", "Cohen",
    "Fisher", "Grant", "Hughes", "Jensen", "Kim", "Larson", "Morgan", "Novak", "Owens", "Price",
    "Quinn", "Reyes", "Stone", "Turner", "Walsh",
)

_PLACES = (
    "Harbor", "Summit", "Lakeside", "Pioneer", "Liberty", "Evergreen", "Granite", "Riverton",
    "Meridian", "Beacon", "Crestview", "Oakdale",
)

_TRADES = ("National", "Financial", "Trust", "Credit Union", "Lending", "Services")

COMPANIES = tuple(f"{place} {trade}" for place in _PLACES for trade in _TRADES)

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)

# On the phone and in notes.
AGENT = (
    "thank you for calling {company} how can I help", "is this about your {other}",
    "may I have your name please", "did you also have {passing}", "shall I pull that up",
    "can I have your number", "can you hold for a moment",
    "okay so this concerns your {other} is that right",
)

FILLERS = ("uh", "um", "you know", "I mean", "like", "well", "so yeah", "okay", "I guess")

CONTRACTIONS = {
    "i am": "i'm", "i have": "i've", "did not": "didn't", "cannot": "can't",
    "could not": "couldn't", "would not": "wouldn't", "will not": "won't", "was not": "wasn't",
    "has not": "hasn't", "do not": "don't", "it is": "it's", "i will": "i'll",
}

DROPPED = frozenset({
    "a", "an", "the", "my", "i", "me", "we", "our", "it", "its", "that", "this", "was", "were",
    "is", "are", "am", "be", "been", "has", "have", "had", "to", "of", "on", "in", "for", "by",
    "at", "with", "and", "so", "there", "they", "them", "their", "which", "such", "would", "could",
    "will", "although", "though", "from",
})

SHORT = {
    "account": "acct", "payment": "pmt", "amount": "amt", "statement": "stmt",
    "application": "appl", "company": "co", "without": "w/o", "with": "w/", "received": "recd",
    "because": "bc", "number": "no", "months": "mos", "weeks": "wks", "twice": "2x",
    "information": "info", "checking": "chkg", "savings": "svgs", "mortgage": "mtg",
    "password": "pw", "interest": "int", "balance": "bal", "report": "rpt", "representative": "rep",
    "credit": "cr", "student": "stdt", "vehicle": "veh", "withdrawal": "wd", "customer": "cust",
    "service": "svc", "please": "pls", "agreement": "agrmt", "documents": "docs", "prepaid": "ppd",
    "deposit": "dep", "transaction": "txn", "transfer": "xfer", "charged": "chgd", "charge": "chg",
    "charges": "chgs", "every": "ea", "reported": "rptd", "refund": "rfnd", "message": "msg",
    "messages": "msgs", "bureaus": "cras",
}
# fmt: on
