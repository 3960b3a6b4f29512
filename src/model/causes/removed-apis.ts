/**
 * What the standard library once had, by the version that took it away. Only what packages still ask
 * for is worth a line; a name that is not here is an ordinary import or attribute error.
 */
export interface RemovedApi {
  /** `module` or `module.attribute`, `module.Class.attribute`. */
  readonly name: string;
  /** First minor version without it, as `[major, minor]`. */
  readonly since: readonly [number, number];
}

const without = (major: number, minor: number, names: string): RemovedApi[] =>
  names
    .trim()
    .split(/\s+/)
    .map((name) => ({ name, since: [major, minor] }));

export const REMOVED_APIS: readonly RemovedApi[] = [
  ...without(
    3,
    0,
    `BaseHTTPServer ConfigParser Cookie HTMLParser Queue SimpleHTTPServer SocketServer StringIO Tkinter __builtin__
     cPickle cStringIO commands cookielib copy_reg httplib itertools.ifilter itertools.imap itertools.izip md5
     os.getcwdu os.popen2 sets sha string.letters string.maketrans sys.maxint thread types.StringType urllib2
     urlparse xmlrpclib`,
  ),
  ...without(3, 8, "cgi.escape macpath platform.dist platform.linux_distribution time.clock"),
  ...without(
    3,
    9,
    "_dummy_thread base64.decodestring base64.encodestring dummy_threading fractions.gcd plistlib.readPlist",
  ),
  ...without(
    3,
    10,
    `collections.Awaitable collections.Callable collections.Container collections.Coroutine collections.Generator
     collections.Hashable collections.ItemsView collections.Iterable collections.Iterator collections.KeysView
     collections.Mapping collections.MutableMapping collections.MutableSequence collections.MutableSet
     collections.Sequence collections.Set collections.Sized collections.ValuesView formatter parser symbol`,
  ),
  ...without(
    3,
    11,
    "asyncio.coroutine binhex gettext.lgettext inspect.formatargspec inspect.getargspec",
  ),
  ...without(
    3,
    12,
    `asynchat asyncore configparser.SafeConfigParser distutils imp importlib.find_loader locale.format
     pkgutil.ImpImporter pkgutil.ImpLoader smtpd sqlite3.OptimizedUnicode ssl.match_hostname ssl.wrap_socket
     unittest.TestCase.assertAlmostEquals unittest.TestCase.assertEquals unittest.TestCase.assertNotAlmostEquals
     unittest.TestCase.assertNotEquals unittest.TestCase.assertNotRegexpMatches
     unittest.TestCase.assertRaisesRegexp unittest.TestCase.assertRegexpMatches unittest.TestCase.assert_
     unittest.TestCase.failIf unittest.TestCase.failUnless unittest.TestCase.failUnlessEqual`,
  ),
  ...without(
    3,
    13,
    `aifc audioop cgi cgitb chunk crypt imghdr lib2to3 locale.resetlocale mailcap msilib nis nntplib ossaudiodev
     pathlib.Path.__enter__ pipes sndhdr spwd sunau telnetlib typing.io typing.re unittest.findTestCases
     unittest.getTestCaseNames unittest.makeSuite uu xdrlib`,
  ),
  ...without(
    3,
    14,
    `ast.Bytes ast.Ellipsis ast.NameConstant ast.Num ast.Str asyncio.AbstractChildWatcher
     asyncio.FastChildWatcher asyncio.SafeChildWatcher asyncio.ThreadedChildWatcher asyncio.get_child_watcher
     asyncio.set_child_watcher importlib.abc.ResourceReader importlib.abc.Traversable
     importlib.abc.TraversableResources pkgutil.find_loader pkgutil.get_loader pty.master_open pty.slave_open
     sqlite3.version urllib.parse.Quoter`,
  ),
  ...without(
    3,
    15,
    `ctypes.SetPointerType glob.glob0 glob.glob1 http.server.CGIHTTPRequestHandler importlib.abc.Loader.load_module
     pathlib.PurePath.is_reserved platform.java_ver sre_compile sre_constants sre_parse types.CodeType.co_lnotab
     typing.no_type_check_decorator wave.Wave_read.getmark zipimport.zipimporter.load_module`,
  ),
];

const byName = new Map(REMOVED_APIS.map((api) => [api.name, api]));

/** The table's name for a module (or a submodule of one) that an interpreter of this version no longer has. */
export function removedModule(module: string, pythonVersion: string): string | null {
  return removedName(module.split(".")[0] ?? "", pythonVersion);
}

/** The table's name for an attribute that an interpreter of this version no longer has. */
export function removedAttribute(
  owner: string,
  attribute: string,
  pythonVersion: string,
): string | null {
  return removedName(`${owner}.${attribute}`, pythonVersion);
}

/** For messages that name the class alone: `'Path' object has no attribute '__enter__'`. */
export function removedMember(
  className: string,
  attribute: string,
  pythonVersion: string,
): string | null {
  const end = `.${className}.${attribute}`;
  const found = REMOVED_APIS.find((api) => api.name.endsWith(end));
  return found === undefined ? null : removedName(found.name, pythonVersion);
}

function removedName(name: string, pythonVersion: string): string | null {
  const api = byName.get(name);
  if (api === undefined) return null;
  const [major = 0, minor = 0] = pythonVersion.split(".").map(Number);
  const [sinceMajor, sinceMinor] = api.since;
  return major > sinceMajor || (major === sinceMajor && minor >= sinceMinor) ? name : null;
}
