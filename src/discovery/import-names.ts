import { STANDARD_MODULES } from "./standard-modules.ts";

/** Which distribution brings a module, where its name differs from the module's. */
const DISTRIBUTIONS: Readonly<Record<string, string>> = {
  yaml: "pyyaml",
  _yaml: "pyyaml",
  dateutil: "python-dateutil",
  attr: "attrs",
  bs4: "beautifulsoup4",
  PIL: "pillow",
  cv2: "opencv-python-headless",
  sklearn: "scikit-learn",
  skimage: "scikit-image",
  Crypto: "pycryptodome",
  Cryptodome: "pycryptodomex",
  OpenSSL: "pyopenssl",
  jwt: "pyjwt",
  git: "gitpython",
  magic: "python-magic",
  dotenv: "python-dotenv",
  slugify: "python-slugify",
  docx: "python-docx",
  pptx: "python-pptx",
  serial: "pyserial",
  usb: "pyusb",
  zmq: "pyzmq",
  MySQLdb: "mysqlclient",
  psycopg2: "psycopg2-binary",
  ldap: "python-ldap",
  gi: "pygobject",
  cairo: "pycairo",
  wx: "wxpython",
  pkg_resources: "setuptools<81",
  setuptools: "setuptools",
  distutils: "setuptools",
  _pytest: "pytest",
  py: "py",
  pytest_asyncio: "pytest-asyncio",
  pytest_cov: "pytest-cov",
  pytest_mock: "pytest-mock",
  pytest_subtests: "pytest-subtests",
  pytest_benchmark: "pytest-benchmark",
  xdist: "pytest-xdist",
  flask_sqlalchemy: "flask-sqlalchemy",
  flask_login: "flask-login",
  rest_framework: "djangorestframework",
  environ: "django-environ",
  jose: "python-jose",
  multipart: "python-multipart",
  websocket: "websocket-client",
  socks: "pysocks",
  markdown: "markdown",
  jinja2: "jinja2",
  mako: "mako",
  markupsafe: "markupsafe",
  werkzeug: "werkzeug",
  itsdangerous: "itsdangerous",
  IPython: "ipython",
  nbformat: "nbformat",
  lxml: "lxml",
  Levenshtein: "levenshtein",
  fitz: "pymupdf",
  pympler: "pympler",
  sphinx: "sphinx",
  docutils: "docutils",
  pygments: "pygments",
  zope: "zope.interface",
  google: "protobuf",
  ruamel: "ruamel.yaml",
  backports: "backports.zoneinfo",
  mypy_extensions: "mypy-extensions",
  typing_extensions: "typing-extensions",
  importlib_metadata: "importlib-metadata",
  importlib_resources: "importlib-resources",
  more_itertools: "more-itertools",
  sortedcontainers: "sortedcontainers",
  tomli_w: "tomli-w",
  freezegun: "freezegun",
  time_machine: "time-machine",
  faker: "faker",
  factory: "factory-boy",
  parameterized: "parameterized",
  ddt: "ddt",
  nose: "nose",
  testtools: "testtools",
  twisted: "twisted",
  OpenGL: "pyopengl",
  pythoncom: "pywin32",
  win32api: "pywin32",
  memcache: "python-memcached",
  pylibmc: "pylibmc",
  ldap3: "ldap3",
  MySQL: "mysql-connector-python",
  rapidjson: "python-rapidjson",
  snappy: "python-snappy",
  lz4: "lz4",
  zstandard: "zstandard",
  brotli: "brotli",
  brotlicffi: "brotlicffi",
  ujson: "ujson",
  Xlib: "python-xlib",
  babel: "babel",
  pytz: "pytz",
  zoneinfo_data: "tzdata",
  cryptography_vectors: "cryptography-vectors",
  re2: "google-re2",
  grpc: "grpcio",
  grpc_tools: "grpcio-tools",
  jsonrpclib: "jsonrpclib-pelix",
  pretend: "pretend",
  webtest: "webtest",
  webob: "webob",
  paste: "paste",
  cheroot: "cheroot",
  flask: "flask",
  django: "django",
  aiohttp: "aiohttp",
  async_timeout: "async-timeout",
  sqlalchemy: "sqlalchemy",
  sphinxcontrib: "sphinx",
  mpl_toolkits: "matplotlib",
  pylab: "matplotlib",
  odf: "odfpy",
  xlrd: "xlrd",
  openpyxl: "openpyxl",
  pywintypes: "pywin32",
};
// Namespaces whose parts are distributions of their own.
const NAMESPACES = new Set([
  "zope",
  "ruamel",
  "backports",
  "jaraco",
  "repoze",
  "plone",
  "keyrings",
  "lazr",
  "z3c",
  "oslo",
]);

/**
 * The distribution to install for a module that is missing, or null where none would help (a module of the standard
 * library, a private or strange name).
 * @param module dotted name as the import said it.
 */
export function distributionForImport(module: string): string | null {
  const parts = module.split(".");
  const [top = "", second] = parts;
  if (!/^[A-Za-z][A-Za-z0-9_]*$/.test(top))
    return Object.hasOwn(DISTRIBUTIONS, top) ? (DISTRIBUTIONS[top] ?? null) : null;
  if (NAMESPACES.has(top) && second !== undefined && /^\w+$/.test(second))
    return `${top}.${second}`.toLowerCase();
  if (Object.hasOwn(DISTRIBUTIONS, top)) return DISTRIBUTIONS[top] ?? null;
  return STANDARD_MODULES.has(top) ? null : top.replaceAll("_", "-").toLowerCase();
}

// What suites import behind a guard, and quietly define fewer tests without. Small, and brings no compiler's work.
const COMMON_IN_TESTS =
  /^(?:pytest.*|hypothesis|mock|freezegun|parameterized|ddt|testtools|testfixtures|pretend|webtest|jinja2|mako|pyyaml|pytz|tzdata|python-dateutil|requests|attrs|six|setuptools.*|trio|anyio|docutils|pygments|simplejson|markdown|babel|zope\.(?:interface|component|event|testing|testrunner|schema))$/;

/**
 * May it be installed before anything has asked for it? Other names wait until a test can't be collected without them:
 * what a test imports may be a typing mistake, a module made by the test itself, or somebody's trap.
 */
export function isCommonInTests(distribution: string): boolean {
  return COMMON_IN_TESTS.test(distribution);
}
