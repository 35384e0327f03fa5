const { CacheError } = require('@cache/core')

exports.isCacheError = (error) => error instanceof CacheError
