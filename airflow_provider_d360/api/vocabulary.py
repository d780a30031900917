"""
The words that an error text may repeat: the vocabulary of Meta, 360dialog, HTTP, TLS, Python and Jinja.

A text from elsewhere may quote a message, a key or a number, whole, in part or in any encoding. Only the
words listed here are shown of it, so nothing needs to be recognised as private. Add a word when a documented
error text has it. Never add names of people, places or products, and nothing that says something about a
person.
"""

from __future__ import annotations

_ENGLISH = """
a about above accept accepted access according across active add added additional after again against agree
agreed all allow allowed already also among an and announced another any anymore applies apply are array as
ask asked at attempt attempted attempts automatically available back be because been before began begin being
below between body both but by bytes came can cannot change changed char character characters check choose
chose chosen com combination complete completed configuration configured consider contain contained contains
content correct could count countries create created creating creation current currently day days default
deleted depth did differ different differs dimensions disconnect do docs does done down due duplicate
duplicated during each early either empty enable enabled end ended ends enough ensure equal equals ever every
exactly example exceed exceeded exceeds exist existing exists expect expected expects experimenting expire
expired expires expression extra fail failed failing fails failure false few field file find finished first
fit follow followed following follows for format formatting found free friday from full further get give
given gmt go greater had has have he here higher hold holds hour hours how however if immediately in include
included includes including incorrect incorrectly input inside instance instead into invalid invalidated is
issue it item its itself just keep key kind know known large larger last later latest leading least left
length less letter like limit limited list listed loaded long longer look low lower lowest made maintain
maintained make many match matches matching maximum may mean meet message minimum minute minutes mismatch
missing monday month more most must name named near need needed needs new next no non none nor not nothing
now null number numbers numeric object occurred of off ok old older on onboarding once one only open
operation optional or order other otherwise our out outdated outside over overall own pack packs pair part
parts passed past per perform performed period permitted place please point points possible prevent prevented
previous prior problem process processed processing properly provide provided quickly quotation quoted rather
reach reached read reading reason reasons received receiving recent recently refer refers related remove
removed represent request requested requests require required requires resend resent reset resolve responded
responding response rest restart restarted restricted result retried retries retry return returned right s
same saturday saved scheduled second seconds section see send sender sending sends sent set settle several
sha sha256 short shorter should shows since single size small smaller so some something soon space spaces
specific specified specify start started starts state status step still stop stopped such sunday supplied
supports sure t take takes temporarily temporary termination text than that the their them then there these
they thing this those through thursday time times title titles to together too took total trailing true try
trying tuesday twice two type unable under unique unknown unless until up update updated upgrade upper use
used user uses using utc valid validating value very via violating wait was way we weblink wednesday week
weeks well went were what when where whether which while who whole whose will with within without word
working works would write writing wrong year yes yet you your zero
"""

_SERVICE = """
100kb 100mb 16mb 360dialog 500kb 5mb aac account action activity address admin amr api app application
approval approved archive asset attached audio auth authentication authentications authexception
authorization authorize authorized authorizing backend balance banned base billable billing biz block blocked
bot broadcast browser bsuid bucket business businesses button buttons call callback calling calls capability
caption card cards carousel catalog catalogue category certificate channel classification client cloud code
codes command commands commerce compliance component components conflict connect connected consent consumer
contact contacts context conversation copy country coupon credential credentials credit cta currency customer
d360 daily data database date debug decline declined deferred delete deliver deliverability delivered
delivery denied deprecated deregister deregistration description destination detail details deterministic
developer developers device dialog direct directory disable disabled display document documentation documents
domain download downloaded downloading downtime draft echo ecosystem edit eligibility eligible email emoji
encoded encoding encrypted encryption endpoint endpoints engage engaged engagement entities entity entry
environment error errors evaluated evaluation event exception exchange experiment experimental expiration
facebook fallback fbtrace feature fetch fetching filename flagged flow flows footer forbidden formatted
function gateway generic graph graphmethodexception greeting group groups handle hash header headers health
healthy high hit host hosting hsm hub hydrated id identifier identity ids image images inactive inactivity
incapable index individual info information insufficient integration integrity interactive internal inventory
invoice invoices jpeg json lack language languages latitude limitation limits line link links load locale
localizable location locked login longitude maintenance manage manager mandatory manual market marketing
markup media merchant messages messaging meta metadata method migrate migrated migration mime mm mode module
monthly mp3 mp4 mpm multi multimedia multipart multiple namespace namespaced navigate network note
notification oauth oauthexception offer offset ogg online opaque opted option options otp outage overdue
overload overloaded owner pacing package page pages paid param parameter parameters params parse parsing
partner password path pause paused pay payload payment payments pdf pdt pending permanent permanently
permission permissions phone pin placeholder plan platform png policies policy portfolio positional premise
price pricing privacy product production products profile project protocol provider pst published purchase qr
quality query queue quota rate rates rating ratio re reaction receiver recipient record redirect reengagement
reference referenced refresh regenerate region register registered registration reject rejected rejection
release remote rendering replied replies reply replying report resource restriction restrictions retailer
review reviewed route router routing row rows sample sandbox scheme scope scoped screen secret security
segment select selected sensitive server servers service services session setting settings setup shared sign
signature signed sku sms solution spam statuses sticker stickers storage store string strings structure sub
subcode subdomain submit submitted subscribe subscribed subscription success successful successfully support
supported suspended switched sync synchronised synchronized syncing syntax system table temp template
templates terms test threshold throttle throttled throughput tier timed timeout timestamp token tokens toll
traffic transaction transactional transient translated translation trigger ttl typing unapproved unauthorised
unauthorized unavailable undeliverable unexpected unpaid unpublished unreachable unregistered unsigned
unsubscribed unsupported unverified upload uploaded uploading uploads upstream url urls username users
utility v1 v2 validate validated validation variable variables variant verification verified verify version
video videos view violate violated violates violation violations voice volume wa waba wallet wamid webhook
webhooks webp whatsapp window
"""

_MACHINE = """
abort aborted alert argument arguments ascii assertion attribute bad base64 bearer blockquote boolean br
broken byte bytearray bytes cache cafile capath center certificates chain chunk chunked close closed column
connection connectionreseterror connections connector constraint control cookie corrupt crypt curl decode
decoded decoding deflate dict disconnected disk div dns doctype driver elif else em endblock endfor endif eof
errcode errno escape exit expecting extradata fatal filter float gaierror generator getaddrinfo gone got gzip
h1 h2 handshake head hostname hr html http https idle idna illegal import incomplete int integer io ip ipv4
ipv6 issuer iterable iterator jinja jinja2 keyerror keys keyword li localhost lock locks lookup loop lost
macro malformed management mapping max memory memoryerror min mismatched nan native newline nginx nodename
nonetype notimplemented ol opened operational operationalerror os overflow p patch peer permissionerror pipe
pool port position post print proxy put python range raw readable recursion recursionerror redirects refused
regular relation resolution runtime schema script self sequence serialise serialised serializable serialize
servname socket span sqlite ssl stat statement stream strong style subject subscriptable surrogate
syntaxerror tag tags tcp td terminated thread timeouterror tls tr traceback tries tuple typeerror ul unclosed
undefined unhandled unicode unpack unpacked unreadable unsafe unterminated utf utf8 valueerror wrapped x zip
zlib
"""


def _words(*lists: str) -> frozenset[str]:
    return frozenset(word for words in lists for word in words.split())


WORDS = _words(_ENGLISH, _SERVICE, _MACHINE)
