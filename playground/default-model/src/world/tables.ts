// Everyday facts of our own making, as lists: `thing: answer`.
export const COLORS = `
a banana: yellow | a lemon: yellow | the sun: yellow | butter: yellow | a canary: yellow | snow: white
milk: white | salt: white | a swan: white | rice: white | flour: white | a polar bear: white
grass: green | a leaf: green | a frog: green | a cucumber: green | spinach: green | an emerald: green
the sky: blue | the sea: blue | a sapphire: blue | blood: red | a tomato: red | a ruby: red
a strawberry: red | a cherry: red | a fire engine: red | coal: black | a crow: black | night: black
a raven: black | soot: black | chocolate: brown | coffee: brown | soil: brown | a brown bear: brown
an orange: orange | a carrot: orange | a pumpkin: orange | a flamingo: pink | a pig: pink
an elephant: gray | a mouse: gray | ash: gray | a violet: purple | a plum: purple | a zebra: striped
gold: yellow | silver: white | copper: red | a pea: green | lettuce: green | a lime: green | ink: black`;

export const HOMES = `
a bird: a nest | a bee: a hive | a rabbit: a burrow | a dog: a kennel | a horse: a stable
a pig: a sty | a spider: a web | a lion: a den | a fish: the water | a whale: the sea
a camel: the desert | a monkey: the jungle | a cow: a barn | a hen: a coop | an ant: an anthill
a beaver: a lodge | a bear: a cave | a penguin: the cold south | a frog: a pond | an owl: a tree
a king: a palace | a monk: a monastery | a soldier: a barrack | a sailor: a ship | a shark: the sea
an eagle: the mountains | a mole: a tunnel | a bat: a cave | a sheep: a fold | a squirrel: a tree`;

export const YOUNGS = `
dog: puppy | cat: kitten | cow: calf | horse: foal | sheep: lamb | goat: kid | pig: piglet
hen: chick | duck: duckling | goose: gosling | swan: cygnet | lion: cub | bear: cub | wolf: cub
deer: fawn | frog: tadpole | kangaroo: joey | whale: calf | butterfly: caterpillar | hare: leveret
tree: sapling | man: boy | woman: girl | fox: cub | seal: pup`;

export const SOUNDS = `
a dog: barks | a cat: mews | a cow: moos | a horse: neighs | a sheep: bleats | a pig: grunts
a duck: quacks | a lion: roars | a wolf: howls | a frog: croaks | a bee: buzzes | a snake: hisses
an owl: hoots | a crow: caws | a mouse: squeaks | a donkey: brays | a bell: rings | a clock: ticks
a hen: clucks | a turkey: gobbles | a bird: sings | a dove: coos | a goose: honks | an elephant: trumpets`;

export const USES = `
a knife: cut | a pen: write | a needle: sew | a broom: sweep | a hammer: drive nails | a saw: cut wood
a key: open a lock | a clock: tell the time | a lamp: give light | a stove: cook | an oven: bake
a cup: drink | a spoon: eat soup | a comb: tidy hair | a towel: dry things | soap: wash
an umbrella: keep off the rain | a bed: sleep | a chair: sit | a ladder: climb | a rope: tie things
a telescope: look at the stars | a microscope: see small things | a thermometer: measure heat
a ruler: measure length | a scale: measure weight | a camera: take pictures | a telephone: talk
a radio: hear the news | a bridge: cross a river | a boat: travel on water | an airplane: fly
a plow: turn the soil | a spade: dig | an ax: chop wood | a net: catch fish | a bag: carry things
a purse: keep money | a refrigerator: keep food cold | a candle: give light | a match: light a fire
a map: find the way | a compass: find north | a dictionary: look up words | a whistle: make a sound
a mirror: see oneself | a brush: paint | an anchor: hold a ship | a fan: cool the air | a lock: shut a door
glue: stick things together | a razor: shave | scissors: cut paper | a drill: make holes | money: buy things
a bell: call people | a fence: keep animals in | a bucket: carry water | a kettle: boil water`;

export const PLACES = `
a book: a library | money: a bank | bread: a bakery | a teacher: a school | a nurse: a hospital
a stove: a kitchen | a bed: a bedroom | a tree: a forest | sand: a desert | a judge: a court
a priest: a church | a prisoner: a prison | an actor: a theater | a train: a station
an airplane: an airport | a ship: a harbor | a cow: a farm | a painting: a museum | a stamp: a post office
a bathtub: a bathroom | a lion: a zoo | a king: a castle | a student: a university | a waiter: a restaurant
a car: a garage | a flower: a garden | a grave: a cemetery | a star: the sky | a shell: a beach
coal: a mine | a worker: a factory | a guest: a hotel | meat: a butcher shop | a crop: a field`;

export const MATERIALS = `
a table: wood | a window: glass | a shirt: cotton | a sweater: wool | a shoe: leather | a tire: rubber
a coin: metal | a book: paper | a candle: wax | a wall: brick | a statue: stone | a ring: gold
a rope: hemp | butter: milk | cheese: milk | bread: flour | flour: grain | wine: grapes | paper: wood
glass: sand | a bottle: glass | a nail: iron | a pot: clay | a brick: clay | a snowman: snow
cider: apples | chocolate: cocoa | a nest: twigs | a web: silk | steel: iron | bronze: copper and tin
brass: copper and zinc | an omelet: eggs | jam: fruit | a tent: canvas | a sail: canvas | a basket: straw`;

export const JOBS = `
a baker: bakes bread | a teacher: teaches children | a farmer: grows food | a pilot: flies airplanes
a carpenter: works with wood | a tailor: makes clothes | a cook: prepares meals | a painter: paints pictures
a writer: writes books | a singer: sings songs | a dancer: dances | a sailor: sails ships | a miner: digs coal
a fisherman: catches fish | a hunter: hunts animals | a gardener: cares for gardens | a judge: decides in court
a butcher: sells meat | a barber: cuts hair | a shepherd: watches sheep | a soldier: fights in a war
a driver: drives a car | a mason: builds with stone | a smith: works with metal | an actor: plays in plays
a postman: brings letters | a waiter: brings food | a librarian: cares for books | a potter: makes pots
an astronomer: studies the stars | a botanist: studies plants | a zoologist: studies animals
a geologist: studies rocks | a chemist: studies substances | a historian: studies the past
a fireman: puts out fires | a policeman: keeps order | a king: rules a country | a poet: writes poems
a sculptor: makes statues | a plumber: mends pipes | a dentist: cares for teeth | a photographer: takes pictures
a conductor: leads an orchestra | a detective: solves crimes | a thief: steals things | a merchant: sells goods`;

export const SEQUENCES = [
  'Monday Tuesday Wednesday Thursday Friday Saturday Sunday',
  'January February March April May June July August September October November December',
  'spring summer autumn winter',
  'one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen',
  'first second third fourth fifth sixth seventh eighth ninth tenth',
];

export const PLURALS = `
man: men | woman: women | child: children | foot: feet | tooth: teeth | goose: geese | mouse: mice
ox: oxen | person: people | sheep: sheep | fish: fish | deer: deer | knife: knives | wife: wives
life: lives | leaf: leaves | wolf: wolves | half: halves | shelf: shelves | thief: thieves | loaf: loaves
calf: calves | city: cities | baby: babies | lady: ladies | country: countries | box: boxes | bus: buses
church: churches | potato: potatoes | hero: heroes | louse: lice`;

export const PASTS = `
go: went | come: came | see: saw | eat: ate | drink: drank | take: took | give: gave | make: made
know: knew | think: thought | find: found | tell: told | get: got | leave: left | feel: felt | bring: brought
begin: began | keep: kept | hold: held | write: wrote | stand: stood | hear: heard | let: let | mean: meant
meet: met | run: ran | pay: paid | sit: sat | speak: spoke | lie: lay | lead: led | grow: grew | lose: lost
fall: fell | send: sent | build: built | draw: drew | break: broke | spend: spent | rise: rose | drive: drove
buy: bought | wear: wore | choose: chose | sing: sang | swim: swam | fly: flew | sleep: slept | teach: taught
catch: caught | fight: fought | win: won | sell: sold | ride: rode | throw: threw | forget: forgot | steal: stole
hide: hid | freeze: froze | shake: shook | wake: woke | bite: bit | dig: dug | blow: blew | sink: sank | sweep: swept`;

/** The pairs of such a list. */
export function pairs(table: string): [string, string][] {
  return table
    .split(/[|\n]/)
    .map((entry) => entry.trim())
    .filter((entry) => entry.length > 0)
    .map((entry) => entry.split(': ') as [string, string]);
}
