"""The Lua scripts: each changes everything it changes in one step, or nothing.

The first argument of those that carry out a request is its note, the second the seconds for which notes are kept. A request that
has a note already was carried out before: that is said, and nothing is changed. Keys and arguments begin alike in all of
them: KEYS head, note; ARGV note, its seconds.
"""

# KEYS: ..., log, then the staged chunks that the first entry refers to. ARGV: ..., number of parts of the head, the parts of
# the head, the parts of the first entry, if any.
CREATE = """
if redis.call('EXISTS', KEYS[2]) == 1 then return {'repeated'} end
if redis.call('EXISTS', KEYS[1]) == 1 then return {'exists'} end
for i = 4, #KEYS do
    if redis.call('EXISTS', KEYS[i]) == 0 then return {'moved'} end
end
for i = 4, #KEYS do redis.call('PERSIST', KEYS[i]) end
local parts = 3 + tonumber(ARGV[3])
redis.call('HSET', KEYS[1], unpack(ARGV, 4, parts))
if #ARGV > parts then redis.call('XADD', KEYS[3], '1-0', unpack(ARGV, parts + 1)) end
redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[2])
return {'done'}
"""

# KEYS: ..., log. ARGV: ..., uid, revision, commit, number of parts of the head, the parts of the head, the parts of the entry.
COMMIT = """
if redis.call('EXISTS', KEYS[2]) == 1 then return {'repeated'} end
local head = redis.call('HMGET', KEYS[1], 'uid', 'revision', 'commit')
if head[1] ~= ARGV[3] or head[2] ~= ARGV[4] or head[3] ~= ARGV[5] then return {'moved'} end
local parts = 6 + tonumber(ARGV[6])
redis.call('XADD', KEYS[3], string.format('%d-0', ARGV[4] + 1), unpack(ARGV, parts + 1))
redis.call('HSET', KEYS[1], unpack(ARGV, 7, parts))
redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[2])
return {'done'}
"""

# For a request that finds nothing left to do. ARGV: ..., uid, '' where there must be no memory.
NOTE = """
if redis.call('EXISTS', KEYS[2]) == 1 then return {'repeated'} end
if (redis.call('HGET', KEYS[1], 'uid') or '') ~= ARGV[3] then return {'moved'} end
redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[2])
return {'done'}
"""

# KEYS: ..., remains, log, then the chunks that the memory refers to. ARGV: ..., uid, revision, commit, blob.
# The head remains as long as notes are kept, since repeats are answered with what it says of the memory.
DELETE = """
if redis.call('EXISTS', KEYS[2]) == 1 then return {'repeated'} end
local head = redis.call('HMGET', KEYS[1], 'uid', 'revision', 'commit', 'blob')
if head[1] ~= ARGV[3] or head[2] ~= ARGV[4] or head[3] ~= ARGV[5] or (head[4] or '') ~= ARGV[6] then return {'moved'} end
redis.call('RENAME', KEYS[1], KEYS[3])
redis.call('EXPIRE', KEYS[3], ARGV[2])
for i = 4, #KEYS do redis.call('UNLINK', KEYS[i]) end
redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[2])
return {'done'}
"""

# KEYS: head, then the new chunks, then those to be replaced. ARGV: uid, blob, new blob, its manifest, number of new chunks,
# seconds that the replaced ones live on.
SWAP = """
local head = redis.call('HMGET', KEYS[1], 'uid', 'blob')
if head[1] ~= ARGV[1] or (head[2] or '') ~= ARGV[2] then return {'moved'} end
local last = 1 + tonumber(ARGV[5])
for i = 2, last do
    if redis.call('EXISTS', KEYS[i]) == 0 then return {'moved'} end
end
for i = 2, last do redis.call('PERSIST', KEYS[i]) end
for i = last + 1, #KEYS do redis.call('EXPIRE', KEYS[i], ARGV[6]) end
redis.call('HSET', KEYS[1], 'blob', ARGV[3], 'snapshot', ARGV[4])
return {'done'}
"""
